"""Data module, Lightning module, losses and schedules."""
