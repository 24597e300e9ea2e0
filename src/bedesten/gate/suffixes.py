"""Names below which strangers have their names: no tenant can have one of them as its host.

A choice by hand, since nothing here asks the network and the whole list of public suffixes is long and changes weekly: the
second levels of countries that sell names at the third, and places where anybody gets a name of their own. What is missing
from it can be written down as a host, and does no more harm than any other name that does not lead here.
"""

_COUNTRIES = """
ac: com net org gov edu mil
ae: co net org sch ac gov mil
af: com net org edu gov
ar: com net org edu gob gov int mil tur
at: co or ac gv
au: com net org edu gov asn id
az: com net org edu gov info int mil name pp pro biz
ba: com net org edu gov mil
bd: com net org edu gov ac mil info
bh: com net org edu gov
bo: com net org edu gob int mil tv
br: com net org edu gov art blog eco ind inf mil tur tv
by: com gov mil of
ci: co com org net ac ed gouv go or
cn: com net org edu gov ac mil
co: com net org edu gov mil nom
cr: co or go ac ed fi sa
cu: com net org edu gov inf
cy: com net org ac gov biz ltd
do: com net org edu gob gov mil art sld web
dz: com net org edu gov asso pol art
ec: com net org edu gob gov info fin med mil pro k12
eg: com net org edu gov eun mil name sci
es: com org nom gob edu
et: com net org edu gov biz info name
fj: com net org ac gov biz info mil name pro
fr: com asso nom prd tm gouv
ge: com net org edu gov mil pvt
gh: com org edu gov mil
gr: com net org edu gov
gt: com net org edu gob ind mil
hk: com net org edu gov idv
hn: com net org edu gob mil
hr: com from iz name
hu: co org info
id: co or go ac web my sch net mil biz desa
il: co org net ac gov muni k12 idf
in: co net org firm gen ind ac edu res gov mil nic
iq: com net org edu gov mil
ir: co net org ac gov id sch
jo: com net org edu gov mil name sch
jp: co ne or go ac ad ed gr lg
ke: co or ne go ac info me mobi sc
kh: com net org edu gov mil per
kr: co or ne go ac re pe es hs kg mil ms sc
kw: com net org edu gov
kz: com net org edu gov mil
lb: com net org edu gov
lk: com net org edu gov ac assn grp hotel int ltd ngo sch soc web
ly: com net org edu gov id med plc sch
ma: co net org ac gov press
mk: com net org edu gov inf name
mm: com net org edu gov
mt: com net org edu
mx: com net org edu gob
my: com net org edu gov mil name
mz: co net org ac gov edu mil adv
na: com co org net
ng: com net org edu gov i mil mobi name sch
ni: co com net org edu gob ac biz in info int mil nom web
np: com net org edu gov mil name
nz: co net org govt ac geek gen iwi kiwi maori school cri health mil parliament
om: co com net org edu gov med museum pro
pa: com net org edu gob ac abo ing med nom sld
pe: com net org edu gob mil nom
ph: com net org edu gov i mil ngo
pk: com net org edu gov biz fam gob gok gon gop gos info web
pl: com net org edu gov info biz waw
pr: com net org edu gov biz info isla name pro est prof ac
ps: com net org edu gov plo sec
pt: com net org edu gov int nome publ
py: com coop net org edu gov mil
qa: com net org edu gov mil name sch
ro: com org nom nt rec store tm www arts firm info
rs: co org edu ac gov in
rw: co net org ac coop gov mil
sa: com net org edu gov med pub sch
sg: com net org edu gov per
sv: com org edu gob red
sy: com net org edu gov mil
th: co or in go ac mi net
tn: com net org gov ind info
tr: com net org gen web biz info av dr pol bel mil tsk kep bbs edu gov k12 name tel tv
tw: com net org edu gov idv mil club ebiz game
tz: co or ne go ac hotel info me mil mobi sc tv
ua: com net org edu gov in kiev kyiv lviv odessa kharkov dp
ug: co com org or go ac ne sc
uk: co org me ltd plc net sch ac gov nhs police
uy: com net org edu gub mil
uz: co com net org
ve: co com net org edu gob info mil web
vn: com net org edu gov ac biz health id info int io name pro
ye: com net org edu gov mil
za: co org net gov ac web law mil nis nom school agric alt edu grondar ngo tm
zm: co com net org edu gov ac biz info mil sch
zw: co org ac gov mil
"""
_PLACES = """
in-addr.arpa ip6.arpa home.arpa
github.io githubusercontent.com gitlab.io pages.dev workers.dev trycloudflare.com web.app firebaseapp.com appspot.com run.app
a.run.app cloudfunctions.net blogspot.com herokuapp.com vercel.app vercel.dev now.sh netlify.app netlify.com onrender.com
fly.dev railway.app up.railway.app deno.dev surge.sh glitch.me repl.co replit.app replit.dev ondigitalocean.app
azurewebsites.net azurestaticapps.net azurecontainerapps.io azureedge.net azurefd.net trafficmanager.net cloudapp.net
cloudapp.azure.com cloudfront.net elasticbeanstalk.com awsapprunner.com s3.amazonaws.com elb.amazonaws.com
compute.amazonaws.com on.aws lambda-url.us-east-1.on.aws wordpress.com myshopify.com wixsite.com webflow.io squarespace.com
ngrok.io ngrok.app ngrok.dev ngrok-free.app ngrok-free.dev loca.lt localtunnel.me serveo.net nip.io sslip.io xip.io
dyndns.org duckdns.org no-ip.org noip.me ddns.net hopto.org zapto.org sytes.net myftp.org servehttp.com dynu.net freeddns.org
afraid.org changeip.com co.com com.de com.se eu.com gb.com gb.net in.net jp.net jpn.com sa.com se.net uk.com uk.net us.com
za.com eu.org uk.eu.org us.org
"""


def _countries() -> set[str]:
    rows = (row.split(": ") for row in _COUNTRIES.strip().splitlines())
    return {f"{second}.{country}" for country, seconds in rows for second in seconds.split()}


SUFFIXES = frozenset(_countries() | set(_PLACES.split()))
"""Public suffixes of two labels and more. A name of one label is none of anybody's hosts in any case."""
