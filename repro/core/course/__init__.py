"""What a trial was like from second to second: its timeline, and the longest that anybody waited."""
