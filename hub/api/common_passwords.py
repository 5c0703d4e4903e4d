"""(pure) Passwords that are guessed first, by rule rather than by list: word, walk, date, number or
repetition.

A word with digits or signs around it is the word (`Admin@2024`, `woaini1314`, `P@ssw0rd!`), so the few
hundred words below stand for tens of thousands of passwords.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ENGLISH = """
password passwd pass passwort passcode letmein welcome hello login logon secret private admin administrator
administrators root user guest test testing tester demo default changeme change changeit master super
superman superuser supervisor system sysadmin operator manager server service support backup database oracle
mysql postgres postgresql redis public read write monitor internet network computer windows microsoft apple
google android samsung huawei xiaomi lenovo cisco router switch access account office company factory plant
machine andon andonhub hub dashboard alarm factoryadmin scada plc hmi siemens rockwell mitsubishi omron
fanuc modbus opcua abc abcd abcde abcdef abcdefg abcdefgh abcabc aaa aaaa aaaaaa asd asdasd qwe qweqwe zxc
zxczxc iloveyou love lovely loveyou mylove baby princess sunshine flower monkey dragon tiger shadow football
basketball baseball soccer hockey michael jordan michelle jennifer jessica daniel thomas robert charlie
andrew joshua matthew ashley nicole hunter batman spiderman pokemon starwars matrix ninja killer freedom
whatever trustno trust money lucky happy summer winter spring autumn january february march april may june
july august september october november december monday friday china beijing shanghai shenzhen guangzhou
hongkong taiwan chelsea liverpool arsenal ferrari mercedes porsche toyota cookie cheese coffee
chocolate banana orange pepper ginger silver golden diamond purple qwerty qwertyuiop qwertz azerty asdfgh
asdfghjkl zxcvbn zxcvbnm aa bb cc ab xx x a b c q z as qq ww ok no yes me my adminadmin rootroot testtest
passpass useruser temp temporary new newpassword mypassword mypass pwd
"""
_CHINESE = """
woaini woaiwojia woaita aini ainiyouyou woaizhongguo woaibaobao baobei baobao laopo laogong qinaide nihao
nihaoma zhongguo beijing shanghai guangdong shenzhen hangzhou chengdu wuhan nanjing tianjin chongqing suzhou
dongguan mima wodemima guanliyuan guanli yonghu ceshi gongchang chejian shebei weixiu banzhang zhuren jingli
laoban gongsi caonima tamade feifei xiaoming xiaohong xiaoli xiaowang xiaozhang tiantian lele niuniu doudou
maomao dandan jiayou facai gongxifacai wanshiruyi pingan jiankang kuaile xingfu shunli daji dajidali fafafa
yiqi yifan wang li zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he gao lin luo zheng liang
xie song tang deng han feng cao peng zeng xiao tian dong pan yuan cai jiang yu du ye cheng wei su lu ding
ren shen yao zhangwei wangwei wangfang liwei lina zhangmin lijing wangjing liuwei wangxiuying zhangli
lixiuying wangli zhangjing zhangxiuying liqiang wangmin limin wanglei liuyang wangyan wangyong lijun
zhangyong lijie zhangjie zhanglei wangqiang lijuan zhangyan wangtao chenjing liming wanggang wangpeng
zhangqiang
"""
_SAYINGS = """
a1b2c3d4 a1b2c3d4e5 1a2b3c4d 1q2w3e4r 1q2w3e4r5t q1w2e3r4 q1w2e3r4t5 1qaz2wsx 1qazxsw2 zaq12wsx qazwsxedc
zaq1xsw2 abc123abc 123abc123 abc123456abc qwe123asd asd123qwe qwer1234asdf asdf1234qwer 123qweasd
123qweasdzxc qweasdzxc 5201314woaini 1314520woaini iloveyou5201314 woaini5201314 tianxiawudi88 admin888admin
letmein123letmein qwe123qwe123
"""
WORDS = frozenset((_ENGLISH + _CHINESE).split())
SAYINGS = frozenset(_SAYINGS.split())
_WALKS = tuple(
    walk + "|" + walk[::-1]
    for walk in (
        "01234567890123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertyuiopasdfghjklzxcvbnm",
        "abcdefghijklmnopqrstuvwxyz", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp",
        "147258369", "741852963", "789456123", "159357", "1q2w3e4r5t6y7u8i9o0p", "qawsedrftgyhujikolp",
    )
)  # fmt: skip
_UNSHIFT = str.maketrans("!@#$%^&*()", "1234567890")
_LEET = (str.maketrans("@4301$5!7", "aaeolssit"), str.maketrans("@4301$5!7", "aaeoissit"))
_FRAMED = re.compile(r"^[\W_]{0,2}\d{0,8}[\W_]{0,2}([^\W\d_](?:.*?[^\W\d_])?)[\W_]{0,3}\d{0,12}[\W_]{0,3}$")
_REPEATED = re.compile(r"^(.{1,4})\1+.?$")
_DIGITS = re.compile(r"^\d{1,11}$|^(19|20)\d\d[-./]?\d\d[-./]?\d\d$")  # birthday, telephone, QQ number


def is_common(password: str, about: Iterable[str] = ()) -> bool:
    """`about`: words close to the person (login name, pinyin name), which are as easy to guess."""
    text = unicodedata.normalize("NFKC", password).casefold()
    if _REPEATED.match(text) or _DIGITS.match(text) or text in SAYINGS:
        return True
    plain = text.translate(_UNSHIFT)
    if any(plain in walk for walk in _WALKS):
        return True
    near = {unicodedata.normalize("NFKC", w).casefold() for w in about if w}
    if text in near:
        return True
    words = WORDS.union(near, *(_cores(w) for w in near))
    return any(core in words or any(core in walk for walk in _WALKS) for core in _cores(text))


def _cores(text: str) -> set[str]:
    """The word inside digits and signs, as written and with leet spelling undone."""
    framed = _FRAMED.match(text)
    return {framed[1], *(framed[1].translate(leet) for leet in _LEET)} if framed else set()
