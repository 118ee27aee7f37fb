"""Does another engine still answer as well as this one: fixed texts, their likelihood, a verdict.

    texts.built_in_texts(), texts.read_texts(path)    what is asked
    asking.over_http(url), asking.over_socket(path)   how an engine is asked
    scoring.score(ask, texts, model=...)              one engine's figures; raises ReadFailed
    judging.judge(old, new, thresholds)               pass, fail or abstain, with the evidence

Nothing is imported here: the settings read `thresholds` at every start of the program.
"""
