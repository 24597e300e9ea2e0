// Vendure: an order of one unit through its shop API, on SQLite (better-sqlite3), in one Node.js process.
//
// node vendure_shop.cjs prepare|serve ENVIRONMENT DATA PORT [STOCK]: the packages are those of the directory ENVIRONMENT.
// The process has one connection, on which Vendure's transactions must not overlap: requests wait in a queue for it. WAL
// and synchronous=FULL make each commit durable before the response.
const path = require('node:path');
const fs = require('node:fs');
const { createRequire } = require('node:module');

const [what, environment, data, port, stock = '10000000'] = process.argv.slice(2);
const installed = createRequire(path.join(path.resolve(environment), 'package.json'));
const { bootstrap, dummyPaymentHandler, DefaultLogger, LogLevel } = installed('@vendure/core');
const { populate } = installed('@vendure/core/cli');

let last = Promise.resolve();

// GraphQL answers 200 whatever happened: the load generator looks at the status only.
function refusalsByStatus(request, response, next) {
    const end = response.end;
    response.end = function (body, ...rest) {
        if (body && !response.headersSent && /"errorCode"|"errors"/.test(String(body))) response.statusCode = 409;
        return end.call(this, body, ...rest);
    };
    next();
}

function oneAtATime(request, response, next) {
    const turn = last;
    last = new Promise(done => response.once('close', done));
    turn.then(() => next());
}

const config = {
    logger: new DefaultLogger({ level: LogLevel.Warn }),
    apiOptions: {
        hostname: '127.0.0.1',
        port: Number(port),
        shopApiPath: 'shop-api',
        adminApiPath: 'admin-api',
        middleware: [refusalsByStatus, oneAtATime].map(handler => ({ handler, route: '/shop-api', beforeListen: true })),
    },
    authOptions: {
        tokenMethod: 'cookie',
        cookieOptions: { secret: 'benchmark' },
        superadminCredentials: { identifier: 'superadmin', password: 'seven lanterns by the gate' },
    },
    dbConnectionOptions: {
        type: 'better-sqlite3',
        database: path.join(data, 'vendure.db'),
        synchronize: what === 'prepare',
        enableWAL: true,
        prepareDatabase: database => database.pragma('synchronous = FULL'),
    },
    paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
};

const shop = {
    defaultLanguage: 'en',
    defaultZone: 'Europe',
    countries: [{ name: 'Germany', code: 'DE', zone: 'Europe' }],
    taxRates: [{ name: 'Standard Tax', percentage: 20 }],
    shippingMethods: [{ name: 'None', price: 0 }],
    paymentMethods: [
        {
            name: 'Dummy',
            handler: { code: 'dummy-payment-handler', arguments: [{ name: 'automaticSettle', value: 'true' }] },
        },
    ],
    collections: [],
};

async function prepare() {
    const products = path.join(data, 'products.csv');
    const titles =
        'name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets';
    fs.writeFileSync(products, `${titles}\nGift card,gift-card,,,,,,GIFT-10,12.50,standard,${stock},true,,\n`);
    const app = await populate(() => bootstrap(config), shop, products);
    await app.close();
}

(what === 'prepare' ? prepare().then(() => process.exit(0)) : bootstrap(config)).catch(error => {
    console.error(error);
    process.exit(1);
});
