// Plays reCAPTCHA Enterprise in a page of the simulated site: tokens come from the simulator.
(() => {
  const key = new URL(document.currentScript.src).searchParams.get('render');

  const ask = async (path, fields) => {
    const reply = await fetch(`https://www.google.com/recaptcha/enterprise/${path}`, {
      method: 'POST',
      credentials: 'include',
      body: new URLSearchParams({ k: key, ...fields }),
    });
    if (!reply.ok) throw new Error(`reCAPTCHA: ${reply.status}`);
    return reply.json();
  };

  // A person has to click in the frame; until they do, the promise of execute() stays open.
  const challenged = (id) =>
    new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.title = 'reCAPTCHA (simulated)';
      frame.src = `https://www.google.com/recaptcha/enterprise/bframe?c=${id}`;
      frame.style = 'position:fixed;right:16px;bottom:16px;width:300px;height:150px;border:0;z-index:9';
      addEventListener('message', ({ source, data }) => {
        if (source !== frame.contentWindow) return;
        frame.remove();
        resolve(data.token);
      });
      document.body.append(frame);
    });

  window.grecaptcha = {
    enterprise: {
      ready: (callback) => setTimeout(callback, 0),
      execute: async (siteKey, { action }) => {
        if (siteKey !== key) throw new Error('Invalid site key or not loaded in api.js: ' + siteKey);
        const reply = await ask('reload', { action });
        return reply.challenge ? challenged(reply.challenge) : reply.token;
      },
    },
  };
})();
