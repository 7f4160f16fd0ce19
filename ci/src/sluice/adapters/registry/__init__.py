"""Registries of images and releases: signing, attesting, copying and listing what they hold."""
