"""Test what an AI agent did, from its MLflow traces."""
