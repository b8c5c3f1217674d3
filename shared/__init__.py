"""Corpora, protocols, metrics, running and reporting: what every paper here stands on, naming none of them."""
