"""Figures: one module each with `draw(tables, settings)`, and the style they share.

A figure shows what the tables hold and computes nothing: every point stands at the table's value,
every interval between the table's bounds, and every number beside its n.
"""
