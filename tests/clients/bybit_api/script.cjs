// The npm client bybit-api: a trader's day on the simulator. Prints "restart" when it wants the
// server to go and come back, waits for a line on stdin, and ends with 0 when all was as expected.
'use strict';
const assert = require('node:assert/strict');
const readline = require('node:readline');
const { RestClientV5, WebsocketAPIClient, WebsocketClient } = require('bybit-api');

const { REST, WS, KEY: key, SECRET: secret } = process.env;
const quiet = { trace() {}, info() {}, error() {} };
const spot = { category: 'spot', symbol: 'BTCUSDT' };
const buy = { side: 'Buy', orderType: 'Limit', qty: '0.001', timeInForce: 'PostOnly' };
const input = readline.createInterface({ input: process.stdin });

const until = async (what, done) => {
  const end = Date.now() + 15000;
  for (;;) {
    const found = done();
    if (found) return found;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const step = async (price) => {
  const body = JSON.stringify({ prices: { BTCUSDT: price } });
  assert.ok((await fetch(`${REST}/sim/step`, { method: 'POST', body })).ok);
};

const good = (answer) => {
  assert.equal(answer.retCode, 0, answer.retMsg);
  return answer.result;
};

function listen(channel, topics, options = {}) {
  // wsUrl stands for every channel of this client, so each channel needs a client of its own.
  const settings = { ...options, market: 'v5', wsUrl: `${WS}/v5/${channel}`, reconnectTimeout: 100 };
  const client = new WebsocketClient(settings, quiet);
  const heard = { client, frames: [], acks: 0, reconnects: 0 };
  client.on('update', (frame) => heard.frames.push(frame));
  client.on('response', () => (heard.acks += 1));
  client.on('reconnected', () => (heard.reconnects += 1));
  client.on('exception', () => {});
  client.subscribeV5(topics, 'spot');
  heard.rows = (topic) =>
    heard.frames.filter((frame) => frame.topic === topic).flatMap((frame) => frame.data);
  return heard;
}

async function byRest() {
  const rest = new RestClientV5({ key, secret, baseUrl: REST });
  assert.match(good(await rest.getServerTime()).timeSecond, /^\d{10}$/);
  for (let n = 0; n < 5; n += 1) {
    good(await rest.submitOrder({ ...spot, ...buy, price: `${96000 - n}`, orderLinkId: `js${n}` }));
  }
  good(await rest.amendOrder({ ...spot, orderLinkId: 'js0', price: '96100' }));
  good(await rest.cancelOrder({ ...spot, orderLinkId: 'js4' }));
  const again = await rest.cancelOrder({ ...spot, orderLinkId: 'js4' });
  assert.equal(again.retCode, 170213); // it does not throw
  await step('95990');

  const names = [];
  for (let cursor; cursor !== ''; ) {
    const page = good(await rest.getHistoricOrders({ category: 'spot', limit: 2, cursor }));
    names.push(...page.list.map((row) => row.orderLinkId));
    cursor = page.nextPageCursor;
  }
  assert.deepEqual(names, ['js4', 'js3', 'js2', 'js1', 'js0']);
  const fills = good(await rest.getExecutionList({ category: 'spot' })).list;
  assert.deepEqual(fills.map((row) => row.execPrice), ['95997', '95998', '95999', '96100']);

  const some = [1, 2, 3].map((n) => ({ ...spot, ...buy, price: `${90000 + n}` }));
  assert.equal(good(await rest.batchSubmitOrders('spot', some)).list.length, 3);
  assert.equal(good(await rest.cancelAllOrders({ category: 'spot' })).list.length, 3);
  return rest;
}

async function byWebSocket() {
  const trade = new WebsocketAPIClient({ key, secret, wsUrl: `${WS}/v5/trade` }, quiet);
  const order = { ...spot, ...buy, price: '95000', orderLinkId: 'ws' };
  assert.equal((await trade.submitNewOrder(order)).data.orderLinkId, 'ws');
  assert.equal((await trade.amendOrder({ ...spot, orderLinkId: 'ws', price: '95100' })).retCode, 0);
  assert.equal((await trade.cancelOrder({ ...spot, orderLinkId: 'ws' })).retCode, 0);
  await assert.rejects(trade.cancelOrder({ ...spot, orderLinkId: 'ws' }), { retCode: 170213 });
}

async function byStream(rest) {
  const topics = ['orderbook.50.BTCUSDT', 'tickers.BTCUSDT', 'publicTrade.BTCUSDT', 'kline.1.BTCUSDT'];
  const market = listen('public/spot', topics);
  const account = listen('private', ['order', 'execution', 'wallet'], { key, secret });
  await until('both subscriptions', () => market.acks && account.acks);
  await until('a first book', () => market.frames.find((frame) => frame.type === 'snapshot'));

  good(await rest.submitOrder({ ...spot, ...buy, price: '95500', orderLinkId: 'live' }));
  await step('95400');
  const fill = await until('the fill', () => account.rows('execution')[0]);
  assert.deepEqual([fill.orderLinkId, fill.execPrice, fill.isMaker], ['live', '95500', true]);
  await until('the order filled', () =>
    account.rows('order').find((row) => row.orderStatus === 'Filled'));
  await until('a changed book', () => market.frames.find((frame) => frame.type === 'delta'));
  await until('the trade', () => market.rows('publicTrade.BTCUSDT').find((row) => row.p === '95400'));

  const told = new Promise((resolve) => input.once('line', resolve));
  console.log('restart');
  await told;
  await until('both back', () => market.reconnects && account.reconnects);
  await until('subscribed anew', () => market.acks > 1 && account.acks > 1);
  good(await rest.submitOrder({ ...spot, ...buy, price: '95000', orderLinkId: 'later' }));
  await until('news after the restart', () =>
    account.rows('order').find((row) => row.orderLinkId === 'later'));
}

async function main() {
  const rest = await byRest();
  await byWebSocket();
  await byStream(rest);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
