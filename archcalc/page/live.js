// The server answers once there is a newer page, or after a while with the same version.
(async () => {
  for (;;) {
    try {
      const answer = await fetch(`/version?after=${version}`);
      if (Number(await answer.text()) !== version) return location.reload();
    } catch {
      await new Promise((done) => setTimeout(done, 1000)); // the server is gone, or starts again
    }
  }
})();
