"""The swap screen: variants, the plan to confirm, the swap as it runs, the evidence."""
