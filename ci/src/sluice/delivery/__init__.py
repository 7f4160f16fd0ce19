"""Delivery figures after DORA: computed of promotion ledgers and of the commits that releases were made of; pure."""
