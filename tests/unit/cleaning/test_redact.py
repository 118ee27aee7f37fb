import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.cleaning.outputs import clean_line
from engines.cleaning.redact import (
    is_secret_name,
    redact_arguments,
    redact_environment,
    redact_text,
)

SECRET = "s3same-0pen"


@pytest.mark.parametrize(
    "name",
    ["--api-key", "--api_key", "--api-k", "--hf-token", "--hf_to", "HF_TOKEN", "OPENAI_API_KEY",
     "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "--ssl-keyfile-password", "apiKey",
     "accessToken",
     "--otlp-headers", "DB_PASSWORD", "client_secret", "X-Amz-Signature", "PGPASSWORD",
     "AZURE_OPENAI_KEY_1", "HF_TOKEN_1", "AUTHTOKEN", "secretkey", "SLACK_WEBHOOK_URL",
     "GITHUB_PAT",
     "SENTRY_DSN", "MYSQL_ROOT_PASSWORD2", "accessKey1"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["--max-num-batched-tokens", "--tokenizer", "--tokenizer-mode", "--ssl-keyfile", "--max-tokens",
     "--long-prefill-token-threshold", "--api-server-count", "--port", "--kv-cache-dtype", "-tp",
     "--return-tokens-as-token-ids", "--enable-prefix-caching", "PYTHONPATH", "VLLM_PLUGINS", "--"],
)  # fmt: skip
def test_names_of_settings(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", SECRET],
        ["--api-key", "one", SECRET],
        [f"--api-key={SECRET}"],
        [f"--api_key={SECRET}"],
        ["--hf-token", SECRET],
        [f"--kv-transfer-config.api_key={SECRET}"],
        ["--kv-transfer-config", json.dumps({"a": [{"password": SECRET}], "b": 1})],
        ["--kv-transfer-config", "{'password': '" + SECRET + "'}"],
        ["--x", f'{{"url": "http://u:{SECRET}@h/"}}'],
        ["--x", f'{{"token": ["{SECRET}"]}}'],
        [f"redis://user:{SECRET}@host:6379/0"],
        [f"redis://:pa/ss{SECRET}@host"],
        [f"https://h/v1?model=x&token={SECRET}&y=1"],
        [f"HF_TOKEN={SECRET}"],
        ["-H", f"Authorization: Bearer {SECRET}"],
        ["--x", f'say \\"api_key\\": \\"{SECRET}\\" now'],
        ["--x", f'password="a \\" {SECRET}"'],
        ["--x", f"secret='two words {SECRET}'"],
        ["--x", f'{{"secretkey": "{SECRET}"}}'],
        ["--x", f"https://hooks.slack.com/services/T0/B0/{SECRET}"],
        ["--x", f"https://discord.com/api/webhooks/12/{SECRET}"],
        ["--x", "y" * 3970 + f' "secretkey": ["{SECRET[:4]}", "{SECRET}"]'],
        ["--x", "z" * 3975 + f" password='a {SECRET}'"],
    ],
)
def test_a_secret_in_any_place_is_hidden(arguments: list[str]) -> None:
    shown = redact_arguments(["vllm", "serve", "m", *arguments, "--port", "8000"])
    assert SECRET not in " ".join(shown)
    assert "***" in " ".join(shown)
    assert shown[:3] == ("vllm", "serve", "m")
    assert shown[-2:] == ("--port", "8000")


@pytest.mark.parametrize(
    "token",
    ["hf_" + "a" * 34, "sk-" + "a1" * 20, "ghp_" + "b" * 36, "AKIA" + "A" * 16, "nvapi-" + "x" * 30,
     "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl"],
)  # fmt: skip
def test_a_token_is_known_by_its_shape(token: str) -> None:
    assert token not in redact_text(f"--note {token} here")


def test_a_secret_at_the_cut_is_left_out_whole() -> None:
    token = "hf_" + "a" * 34
    for before in range(3950, 4001):
        assert "hf_" not in redact_text("x " * (before // 2) + token)


def test_settings_stay_as_they_are() -> None:
    line = (
        "python -m vllm.entrypoints.openai.api_server --model org/m --max-num-batched-tokens 2048 "
        "--tokenizer org/t -tp 2 --long-prefill-token-threshold=512 --chat-template a:b=c "
        "--otlp-traces-endpoint http://h:4317/v1 --ssl-keyfile /etc/key.pem"
    )
    arguments = line.split()
    assert redact_arguments(arguments) == tuple(arguments)


def test_environment() -> None:
    variables = {
        "HF_TOKEN": SECRET,
        "VLLM_API_KEY": "",
        "HTTP_PROXY": f"http://u:{SECRET}@p:1/",
        "FLEET_CONFIG": SECRET,
        "VLLM_USE_V1": "1",
        "PATH": "/bin:/usr/bin",
    }
    assert redact_environment(variables) == {
        "HF_TOKEN": "***",
        "VLLM_API_KEY": "",
        "HTTP_PROXY": "http://***@p:1/",
        "FLEET_CONFIG": "***",
        "VLLM_USE_V1": "1",
        "PATH": "/bin:/usr/bin",
    }


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a:", "a=", "http://", "a://b:", '"', "\\\"", "'", "[", "{", '{"', "eyJ", "hf_",
     " ", "a://", "a://a:", "http://hooky", "a://@",
     "token=", "basic ", "https://hook.", "\x1b]", "\x1b[", "key: [", "-"],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    """With patterns that go back and forth, a million characters take hours."""
    text = piece * (1_000_000 // len(piece))
    began = time.monotonic()
    redact_text(text)
    redact_arguments([text, f"--chat-template={text}"])
    clean_line(text)
    assert time.monotonic() - began < 5.0


def test_many_seeming_addresses_cost_no_more_than_one() -> None:
    """A stranger's command line may hold thousands of words of them."""
    words = ["a://" * 1_000] * 1_000
    began = time.monotonic()
    redact_arguments(words)
    assert time.monotonic() - began < 20.0  # went back and forth it took 100 s


@given(
    st.text(alphabet="ab1.:/='\"[]{}\\ @-_", max_size=60), st.sampled_from(["password", "apiKey"])
)
def test_what_stands_around_a_secret_does_not_show_it(around: str, name: str) -> None:
    assert SECRET not in redact_text(f"{around} {name}={SECRET}")


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_text_is_taken(arguments: list[str]) -> None:
    assert len(redact_arguments(arguments)) == len(arguments)


@given(st.text(alphabet="abc019-_./+=", min_size=8, max_size=30).filter(lambda t: t[0] != "-"))
def test_the_value_of_a_secret_flag_never_shows(value: str) -> None:
    assert redact_arguments(["--api-key", value, f"--hf-token={value}"]) == (
        "--api-key",
        "***",
        "--hf-token=***",
    )


@pytest.mark.parametrize(
    "text",
    [
        "python app.py --vllm-args '--api-key hunter2secret --port 8000'",
        'sh -c "exec vllm serve m --api-key hunter2secret"',
        '{"cmd": "vllm serve m --hf-token hunter2secret"}',
        "curl -u admin:hunter2secret http://x",
        '{"pw": "hunter2secret"}',
    ],
)
def test_a_flag_inside_a_text_loses_its_value(text: str) -> None:
    assert "hunter2" not in redact_text(text)
    assert "hunter2" not in " ".join(redact_arguments(["python", text]))


def test_variables_that_hold_command_lines_are_not_harmless() -> None:
    shown = redact_environment({"VLLM_EXTRA_ARGS": "-k hunter2", "VLLM_SERVE_COMMAND": "x y"})
    assert set(shown.values()) == {"***"}
