"""The screen. It reads the ledger and nothing else; acts leave through `actions.Actions`.

Textual reads its limits when it is first imported, so they are set here: few frames and no
animations, because the screen changes once a second and every byte may cross a slow link.
"""

import os

os.environ.setdefault("TEXTUAL_FPS", "12")
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
