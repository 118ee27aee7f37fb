"""Does another engine still answer as well as this one: fixed texts, their likelihood, a verdict.

built_in_texts() / read_texts(path)      what is asked
over_http(url) / over_socket(path)       how an engine is asked
score(ask, texts, model=...)             one engine's figures; raises ReadFailed
judge(old, new, thresholds)              pass, fail or abstain, with the evidence
"""

from engines.quality.asking import Asker, over_http, over_socket
from engines.quality.judging import judge
from engines.quality.scoring import Scores, TextScore, score
from engines.quality.texts import Text, built_in_texts, read_texts
from engines.quality.thresholds import Thresholds
from engines.quality.verdict import QualityVerdict

__all__ = [
    "Asker",
    "QualityVerdict",
    "Scores",
    "Text",
    "TextScore",
    "Thresholds",
    "built_in_texts",
    "judge",
    "over_http",
    "over_socket",
    "read_texts",
    "score",
]
