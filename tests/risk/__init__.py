"""Tests of risk: halts, the kill, the gate, the guards and the audit trail."""
