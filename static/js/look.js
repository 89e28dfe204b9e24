// How this browser likes the pages: read from its cookies, which the preferences page writes.

const A_YEAR_S = 31536000;

export const look = (name) => document.cookie.match(new RegExp(`(?:^|; )look_${name}=([a-z]+)`))?.[1] ?? "";

export const setLook = (name, value) => {
  document.cookie = `look_${name}=${value}; path=/; max-age=${A_YEAR_S}; samesite=strict`;
  if (value) document.documentElement.dataset[name] = value;
  else delete document.documentElement.dataset[name];
  document.dispatchEvent(new CustomEvent(name));
};
