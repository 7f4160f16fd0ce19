"""A project of one's own: one service from `template/`, Sluice's part copied, and a record by which that is kept up."""

from sluice.adopting.project import SERVICE, begin
from sluice.adopting.updating import Updated, update

__all__ = ["SERVICE", "Updated", "begin", "update"]
