// @ts-check

/** Runs in the page. Chrome heeds it only where the person has not sent the tab elsewhere meanwhile. */
export function reloadPage() {
  location.reload();
}
