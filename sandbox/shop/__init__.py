"""The sandbox's own app: its goods, its customers, its inbox."""
