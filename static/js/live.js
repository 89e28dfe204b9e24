// The live connection: envelopes in sequence, a snapshot after a gap, and reconnecting with full jitter.

const VERSION = 1, BASE_MS = 500, CAP_MS = 15000, SILENT_MS = 5000, LOGIN_NEEDED = 4401;

const address = (path) => `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;

// Calls receive(envelope) for each frame in order and report({open, tries}) when the connection changes.
export const connect = (path, receive, report) => {
  let socket = null, tries = 0, next = null, retry = 0, watchdog = 0;

  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => lost(socket), SILENT_MS); // the server's heart beats every second
  };

  const open = () => {
    clearTimeout(retry);
    const mine = new WebSocket(address(path));
    socket = mine;
    next = null;
    alive();
    mine.onmessage = (event) => {
      if (mine === socket) take(JSON.parse(event.data));
    };
    mine.onclose = (event) => (event.code === LOGIN_NEEDED ? location.reload() : lost(mine));
  };

  const lost = (which) => {
    if (which !== socket) return;
    clearTimeout(watchdog);
    socket = null;
    which.close();
    tries += 1;
    report({ open: false, tries });
    retry = setTimeout(open, Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** tries));
  };

  const take = (envelope) => {
    alive();
    if (envelope.v !== VERSION) return location.reload(); // a newer server: its page knows the new envelope
    if (tries || next === null) {
      tries = 0;
      report({ open: true, tries });
    }
    const gap = next !== null && envelope.seq !== next;
    if (gap && envelope.type !== "snapshot") socket.send(JSON.stringify({ type: "resume", seq: next - 1 }));
    next = envelope.seq + 1;
    receive(envelope);
  };

  const hurry = () => {
    if (socket === null && document.visibilityState === "visible") open();
  };
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  open();
};
