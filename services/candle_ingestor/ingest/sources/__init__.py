"""Where candles come from: one class a source, all behind one protocol (rule C2)."""
