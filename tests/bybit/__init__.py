"""Contract tests of the Bybit gateway and streams, over real sockets."""
