// A partner's back end on types that openapi-typescript generated: logs in, looks round, orders, reads the codes.
// Run by the test: `node partner.js URL EMAIL PASSWORD REFERENCE`.
import createClient from "openapi-fetch";
import type { components, paths } from "./reseller.js";

declare const process: { argv: string[] };
const [url, email, password, reference] = process.argv.slice(2) as [string, string, string, string];
// JSON alone: problem documents come only to those who ask for them.
const client = createClient<paths, "application/json">({ baseUrl: url });

const login = await client.POST("/Login/Customer/Api/Verify", { body: { email, password } });
if (!login.data) throw new Error(`the login was refused: ${login.error?.code}`);
const { token } = login.data.data;
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

const products = await client.POST("/Products/List", { body: { pageSize: 10 } });
const lines: components["schemas"]["BasketLine"][] = (products.data?.data.items ?? []).map((product, at) => ({
  deliverId: String(at),
  customerStoreProductId: product.customerStoreProductId,
  quantity: 1,
  requireData: product.requireData.map((one) => ({ productRequireId: one.productRequireId, value: "p-77" })),
}));
const order = {
  params: { header: { "Idempotency-Key": `key-${reference}` } },
  body: { orderReference: reference, basketData: lines },
};
const placed = await client.POST("/Orders/Create", order);
const again = await client.POST("/Orders/Create", order);
if (!placed.data || placed.data.data.orderId !== again.data?.data.orderId) throw new Error("not the same order");

const read = await client.POST("/Orders/Get", { body: { orderReference: reference } });
const refused = await client.POST("/Orders/Create", {
  body: { orderReference: "x", basketData: [{ deliverId: "1", customerStoreProductId: "prd_unknown", quantity: 1 }] },
});
// The number tells which failure it is, to the compiler as well: only this one has lines in its data.
const why = refused.error?.code === -200 ? refused.error.data.items[0]?.reason : undefined;
const first = read.data?.data.details[0];
if (!first) throw new Error("the order has no lines");
const line = await client.GET("/Orders/Detail/{orderDetailId}", {
  params: { path: { orderDetailId: first.orderDetailId } },
});
console.log(
  JSON.stringify({
    order: read.data?.data.orderId,
    total: read.data?.data.total,
    statuses: read.data?.data.details.map((one) => one.status),
    codes: read.data?.data.details.map((one) => one.deliveryData),
    refused: [refused.response.status, refused.error?.code, why],
    line: line.data?.data.productName,
  }),
);
