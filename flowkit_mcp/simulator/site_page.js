// The simulated site's own script, in both lanes: shows what the account has made, and in lane labs does
// what that page does, asking its session for a bearer and the API for the credits. No innerHTML anywhere:
// the page is served with Trusted Types, as Flow's is.
(() => {
  const facts = JSON.parse(document.getElementById('facts').textContent);
  const $ = (selector) => document.querySelector(selector);
  const shown = new Map();

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  function tile(media) {
    const figure = element('figure', { className: 'tile' });
    figure.classList.toggle('tall', media.height > media.width);
    figure.classList.toggle('making', media.status === 'making');
    figure.classList.toggle('failed', media.status === 'failed');
    if (media.address && media.kind === 'video') {
      const clip = element('video', { src: media.address, muted: true, loop: true, playsInline: true, preload: 'metadata' });
      if (media.poster) clip.poster = media.poster;
      clip.addEventListener('mouseenter', () => clip.play());
      clip.addEventListener('mouseleave', () => clip.pause());
      figure.append(clip);
    } else if (media.poster) {
      figure.append(element('img', { src: media.poster, alt: media.title, loading: 'lazy' }));
    }
    const state = { making: 'Making…', failed: 'Failed', done: media.kind === 'video' ? '▶ Clip' : 'Image' }[media.status];
    figure.append(element('span', { className: 'kind', textContent: state }));
    figure.append(element('figcaption', { textContent: media.title, title: media.title }));
    return figure;
  }

  function show(told) {
    $('.credits').textContent = `${told.credits.toLocaleString('en')} credits`;
    $('header h1').textContent = told.title;
    document.title = `Flow – ${told.title} (simulated)`;
    const links = told.projects.map((one) => element('li', {}, element('a', { href: facts.project + one.id, textContent: one.title })));
    $('.projects')?.replaceChildren(...links);
    for (const media of told.media) {
      const state = `${media.status} ${Boolean(media.poster)} ${Boolean(media.address)}`;
      const before = shown.get(media.id);
      if (before?.state === state) continue;
      const figure = tile(media);
      if (before) before.figure.replaceWith(figure);
      else $('.grid').prepend(figure);
      shown.set(media.id, { state, figure });
    }
    $('.empty').hidden = told.media.length > 0 || told.projects.length > 0;
  }

  async function look() {
    const reply = await fetch(facts.tiles, { cache: 'no-store' });
    if (reply.ok) show(await reply.json());
  }

  const credits = async (bearer) =>
    fetch('https://aisandbox-pa.googleapis.com/v1/credits', { headers: { authorization: `Bearer ${bearer}` }, cache: 'no-store' });

  async function labs() {
    const session = await (await fetch('/fx/api/auth/session', { cache: 'no-store' })).json();
    if (session.access_token) await credits(session.access_token);
    document.documentElement.dataset.ready = '';
  }

  if (!facts.signedIn) return;
  const again = () => document.hidden || look().catch(() => {});
  look().catch(() => {});
  setInterval(again, facts.everyMs);
  document.addEventListener('visibilitychange', again);
  if (facts.lane === 'labs') labs().catch(() => {});
})();
