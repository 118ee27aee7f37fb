"""The screen. It reads the ledger and nothing else; acts leave through `actions.Actions`.

Textual reads its limits when it is first imported, so they are set here: no animations, because
every byte may cross a slow link.
"""

import os

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
