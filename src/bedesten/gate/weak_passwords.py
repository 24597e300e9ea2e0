"""Words that people make passwords of, and the ways in which fingers walk over keyboards.

Written down by kind, not taken from a list of stolen passwords: the stems that such lists share, in the languages of the
house, and rules (`gate.passwords`) for what is done to them: capitals, digits behind, letters turned into signs, doubling.
So a few kilobytes stand for millions of passwords. Every word has four letters at least, is in lower case and has no
accents: that is how a password is spelt when it is compared.
"""

_STEMS = """
password passwort passwd passcode passphrase passw0rd pass word secret secreto geheim letmein welcome willkommen
bienvenue admin administrator root toor master login logon guest gast access default changeme changeit change test
testing tester temp temporary demo user username usuario utilisateur backup server system database oracle cisco router
manager office company business private public security secure super service support internet computer windows
microsoft apple google facebook twitter instagram youtube whatsapp telegram netflix amazon samsung nokia iphone
android linux ubuntu hacker hacking hack hello hallo hola bonjour merhaba selam hoppla please bitte enter open sesame
opensesame whatever nothing something anything everything nobody somebody forever never always again today tomorrow
yesterday asdasd qweqwe zxczxc qwe123 asd123
zxc123 abc123 abcabc aaa111 trustno1 iloveyou iloveu ilove loveyou loveme lovely lover love liebe amore
amour mylove babygirl babyboy baby sweet sweetie sweetheart honey sugar angel angels princess prince queen king
kingdom knight sunshine sunny sunflower moonlight moon star stars starlight rainbow butterfly flower flowers rose
roses lily daisy tulip summer winter spring autumn fall season january february march april june july august september
october november december monday tuesday wednesday thursday friday saturday sunday morning night midnight weekend
holiday vacation birthday christmas easter halloween newyear happy smile lucky luck hope faith peace grace heaven hell
devil demon satan jesus christ jesuschrist godisgood blessed bless allah muhammad islam bismillah church bible family
mother father mommy daddy mama papa sister brother grandma friend friends bestfriend buddy boyfriend girlfriend
husband wife
"""
_THINGS = """
monkey dragon tiger lion eagle falcon hawk wolf bear panda panther puma jaguar leopard cheetah shark dolphin whale
turtle snake python cobra viper spider scorpion phoenix unicorn pegasus horse pony kitty kitten hellokitty puppy doggy
snoopy tweety mickey minnie donald goofy garfield winnie pooh tigger bambi nemo shrek buster rocky rambo lassie rabbit
bunny chicken turkey duck monster zombie vampire ghost ninja samurai warrior soldier hunter ranger sniper shooter
killer assassin pirate captain admiral general major sergeant marine trooper rider racer driver pilot wizard magic
magician merlin gandalf frodo hobbit legolas aragorn sauron hogwarts harrypotter potter hermione batman superman
spiderman ironman hulk thor captainamerica avengers joker deadpool wolverine xmen starwars skywalker vader darthvader
yoda jedi startrek spock matrix trinity morpheus terminator godfather gladiator spartan spartacus hercules zeus apollo
athena venus mercury jupiter saturn neptune pluto mars galaxy universe cosmos space rocket football soccer futbol
baseball basketball hockey tennis golf golfer rugby cricket boxing karate judo swimming surfing skate skater
skateboard snowboard fishing hunting racing cycling running dancer dancing champion winner player gamer game games
gaming playboy poker casino jackpot chess checkmate pokemon pikachu charizard mario luigi zelda sonic minecraft
fortnite roblox counter counterstrike warcraft starcraft diablo halo doom quake sims playstation xbox nintendo gameboy
steam valorant leagueoflegends pubg freefire naruto sasuke sakura itachi goku vegeta luffy onepiece bleach anime
guitar piano drums violin music musica rock rocknroll metal metallica slipknot nirvana beatles eminem rihanna shakira
beyonce madonna elvis marley bobmarley acdc linkinpark greenday blink182 nightwish rammstein ironmaiden pinkfloyd
ledzeppelin gunsnroses rolling stones cookie cookies chocolate candy cherry strawberry banana orange peach lemon mango
coconut pineapple watermelon coffee pizza burger cheese butter bacon pepper ginger vanilla cinnamon pumpkin potato
tomato onion noodle sushi beer wine whisky whiskey vodka tequila corona heineken budweiser marlboro cocacola pepsi
nutella snickers blue green yellow purple violet pink black white brown gray silver gold golden diamond crystal ruby
emerald sapphire pearl jade amber platinum titanium steel iron copper ferrari porsche mercedes bmwm3 mustang corvette
camaro lamborghini maserati bugatti bentley toyota honda nissan subaru mazda ford chevy chevrolet dodge jeep audi
volkswagen volvo skoda renault peugeot citroen fiat yamaha suzuki kawasaki ducati harley harleydavidson water fire
earth wind thunder lightning storm snow snowman snowflake icecream ocean river lake beach island mountain forest
garden tree nature world planet money dollar dollars cash rich millionaire billionaire bitcoin crypto ethereum freedom
liberty justice america american england english london britain germany deutschland berlin france paris italia italy
roma milano spain espana madrid barcelona portugal lisboa brasil brazil argentina mexico colombia canada toronto
australia sydney russia moscow moskva ukraine poland polska greece india mumbai delhi pakistan china beijing shanghai
japan tokyo korea seoul singapore malaysia indonesia thailand vietnam philippines egypt cairo dubai nigeria kenya
africa texas dallas chicago boston newyork california florida miami vegas lasvegas hawaii arsenal chelsea liverpool
everton manchester manutd manunited mancity tottenham celtic rangers juventus inter intermilan milan napoli realmadrid
barca fcbarcelona atletico bayern borussia dortmund schalke benfica porto sporting flamengo corinthians palmeiras
santos riverplate bocajuniors ajax feyenoord yankees redsox lakers celtics bulls cowboys steelers packers patriots
broncos raiders eagles dodgers giants ronaldo messi neymar beckham maradona zidane ronaldinho jordan kobe lebron
federer nadal cowboy indian gangster thuglife badboy badgirl goodgirl sexy sexygirl hottie bitch fuck fuckyou fuckoff
asshole bastard shit bullshit suck sucks porn biteme kissme kiss kisses hugs cutie cute beautiful handsome pretty
gorgeous genius stupid idiot loser crazy psycho maniac legend awesome fantastic perfect excellent victory viking titan
goliath samson delilah school college university student teacher doctor nurse lawyer engineer police fireman army navy
force airborne military book library letter pencil window door house home homes building street number seven eleven
thirteen hundred thousand million zero first second third alpha beta gamma delta omega sigma lambda epsilon giftcard
giftcards voucher coupon wallet payment reseller supplier bedesten bazaar market shop shopping store order shadow
charlie charlie charley michaeljackson godfrey shadows hunters
"""
_NAMES = """
james john robert michael mike william david richard joseph thomas charles chris christopher daniel matthew anthony
mark steven steve paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan jacob gary
nicholas nick eric jonathan stephen larry justin scott brandon benjamin samuel gregory frank alexander alex raymond
patrick jack dennis jerry tyler aaron jose adam nathan henry douglas zachary peter kyle ethan walter noah jeremy
christian keith roger terry austin sean gerald carl harold dylan arthur lawrence jesse bryan billy bruce gabriel logan
alan juan wayne ralph eugene vincent bobby russell louis philip phillip johnny tommy jimmy danny randy howard victor
martin marcus travis curtis todd craig shawn derek trevor oscar lucas mason liam oliver elijah jackson sebastian owen
theo felix simon stefan andreas markus tobias florian fabian dominik patrik jens lars sven bjorn olaf mary maria
patricia jennifer jenny linda elizabeth barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley
kimberly emily donna michelle carol amanda melissa deborah stephanie rebecca laura sharon cynthia kathleen angela
shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel carolyn janet catherine heather
diane olivia julie joyce victoria ruth virginia lauren kelly christina joan evelyn judith andrea hannah megan cheryl
jacqueline martha madison teresa gloria sara janice jean abigail alice julia judy sophia sophie denise marilyn
danielle beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori tiffany claudia monica
veronica vanessa valerie sabrina bianca carmen daniela gabriela valentina camila natalia paula lucia sofia elena
martina chiara giulia francesca federica alessandra alessia silvia caroline camille manon chloe juliette pauline clara
leonie katharina johanna katja anja heike petra sabine monika birgit ursula ingrid carlos luis jorge pedro miguel
manuel fernando francisco antonio alejandro javier rafael ricardo roberto eduardo diego sergio pablo andres felipe
marco matteo luca lorenzo francesco giovanni giuseppe alessandro davide simone stefano paolo pierre philippe nicolas
julien antoine guillaume maxime thierry laurent pascal olivier ivan sergey sergei dmitry dmitri alexey alexei andrey
andrei mikhail nikita vladimir igor oleg pavel maxim roman artem natasha tatiana svetlana olga irina marina ekaterina
anastasia nadia katya masha dasha ksenia polina mohammed mohamed ahmed hassan hussein omar khalid ibrahim youssef
abdullah abdul fatima aisha amina mariam layla yasmin noor zainab salma rahul amit sanjay vijay krishna ganesh shiva
suresh ramesh rajesh priya pooja neha anjali deepak sachin rohit wang zhang chen huang yang zhao nguyen tran minh park
hiroshi takashi yuki kenji mehmet ahmet mustafa emre burak murat hakan serkan volkan onur ozgur umut kerem berk baris
deniz yusuf hasan huseyin osman ismail kemal selim tolga tuncay ugur yigit arda cengiz erdem ferhat gokhan halil ilker
kaan levent mert okan recep sinan tarik ufuk yavuz zafer ayse fatma emine hatice zeynep elif merve busra esra selin
derya ebru gamze gizem hande irem kubra melek melike nazli ozge pelin pinar sevgi sibel sinem songul tugba yasemin
yeliz seda smith johnson williams jones miller davis garcia rodriguez wilson martinez anderson taylor hernandez moore
thompson lopez gonzalez harris clark lewis robinson walker perez hall young allen sanchez wright baker adams nelson
hill ramirez campbell mitchell roberts carter phillips evans turner torres parker collins edwards stewart flores
morris murphy rivera cook rogers morgan peterson cooper reed bailey richardson ward yilmaz kaya demir celik sahin
yildiz yildirim ozturk aydin ozdemir arslan dogan kilic aslan cetin kara kurt schmidt muller mueller schneider fischer
weber meyer wagner becker schulz hoffmann
"""
_ABROAD = """
parola sifre sifrem sifreler gizli giris yonetici kullanici hosgeldin hosgeldiniz gunaydin turkiye turkiyem ataturk
mustafakemal cumhuriyet istanbul ankara izmir bursa antalya adana konya trabzon samsun gaziantep diyarbakir
galatasaray fenerbahce besiktas trabzonspor cimbom kartal aslanlar kanarya carsi bjkbjk gsgsgs fbfbfb fener askim
askimsin seviyorum seniseviyorum canim canimsin bebegim birtanem hayatim sevgilim melegim prenses tatlim gulum annem
babam kardesim ailem kizim oglum dostum arkadas mutluluk hayat dunya gunes yildizim kelebek cicek papatya araba para
zengin okul ogrenci ogretmen doktor muhendis asker polis futbolcu sampiyon kaplan kedi kopek yunus pazartesi sali
carsamba persembe cuma cumartesi pazar ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik
ilkbahar sonbahar schatz liebling engel sonne blume sommer herbst fussball familie mutter vater freunde schule
contrasena corazon teamo tequiero amor amigo amiga bonita hermosa mariposa estrella familia motdepasse soleil chouchou
doudou coucou azertyuiop jetaime fleur etoile loulou senha brasileiro saudade querida parool wachtwoord haslo kochanie
privet parol lubov solnyshko
"""

WORDS = frozenset(word for text in (_STEMS, _THINGS, _NAMES, _ABROAD) for word in text.split())
"""Every word, each of at least four letters."""

_ROWS = """
abcdefghijklmnopqrstuvwxyz 01234567890 1234567890 qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm azertyuiop qsdfghjklm
wxcvbn !@#$%^&*() !"§$%&/()= 1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/ qazwsxedcrfvtgbyhnujmikolp zaqxswcdevfrbgtnhymju
zaq1xsw2cde3vfr4bgt5nhy6mju7 1qazxsw23edcvfr45tgbnhy67ujm zaq12wsxcde34rfvbgt56yhnmju78ik 1q2w3e4r5t6y7u8i9o0p
q1w2e3r4t5y6u7i8o9p0 1a2b3c4d5e6f7g8h9i0j a1b2c3d4e5f6g7h8i9j0 1qa2ws3ed4rf5tg6yh7uj qawsedrftgyhujikolp
aqswdefrgthyjukilo 7894561230 147258369 741852963 963852741 159753 951357 789456123 321654987 987654321 112233445566778899
9988776655443322110 aabbccdd 00112233445566778899 1122334455 wasdwasd
asdfjkl; jkl;asdf hjkl 13579 24680 02468 1357924680 2468013579 qwerasdfzxcv qweasdzxc mnbvcxz
"""
STEP = 4
"""Characters of a stretch that is noticed as one."""
STEPS = frozenset(
  walk[at : at + STEP]
  for row in _ROWS.split()
  for walk in (row, row[::-1])
  for at in range(len(walk) - STEP + 1)
)  # fmt: skip
"""Every four characters that follow each other in an alphabet, among the digits or on a keyboard, either way."""
