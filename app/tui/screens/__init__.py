"""The screens, a folder each; `common` is what they are made from."""
