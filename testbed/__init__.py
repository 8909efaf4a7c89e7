"""What tests share: an AWS in memory, set up as the template says, and drivers of local servers."""
