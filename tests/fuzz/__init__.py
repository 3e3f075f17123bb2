"""What reads hostile bytes, driven by a fuzzer that is guided by the code it reaches."""
