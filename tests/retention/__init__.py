"""What is kept, for how long, and how it goes; on a database of their own, as clocks run ahead here."""
