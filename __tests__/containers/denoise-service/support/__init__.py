"""What the tests of the service run against: its own process, real Triton on the processor, a stand-in of AWS."""
