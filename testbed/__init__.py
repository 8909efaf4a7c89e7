"""What tests of several rooms share: an AWS in memory, set up as the template says."""
