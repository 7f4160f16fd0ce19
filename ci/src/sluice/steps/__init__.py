"""One step a file: earlier results in, one result out; no step reaches back, none knows an adapter."""
