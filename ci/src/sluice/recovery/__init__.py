"""Getting back what a cluster held: keys of the back-ups, marks by which it is known again, figures of a drill."""
