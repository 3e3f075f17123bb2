"""A local Kickfolio under `/kickfolio/api`: apps, and versions whose bundles are fetched for real.

It keeps its data where the rest of the sandbox does, has a token of its own, and answers in the service's
own words. Kickfolio's document is silent on what becomes of a bundle that cannot be fetched: here the state
of its version is then `failed`, and `state_reason` says why.
"""
