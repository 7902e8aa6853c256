"""Small words that give a language away among those that share its script: articles, prepositions, verbs of calculation.

Ours. Written by hand from grammar, lower case, most telling first; a word that two languages share stands in both lists.
"""

from __future__ import annotations

import functools

import numpy as np

FUNCTION_WORDS: dict[str, frozenset[str]] = {
    code: frozenset(words.split())
    for code, words in {
        # Latin
        "en": "the of and to is in that it we so for this be are with as let then by have has can if which from but or what "
        "how not each at on an wait need would there i'll find since total number first now get will was were did does "
        "you they he she his her their answer when where therefore because thus all some equals minus plus times "
        "divided compute calculate solve let's okay me my us our your its them these those who why while about into "
        "than after before just only also again still here same both should could must maybe think know see means "
        "check verify correct wrong take add subtract multiply substitute gives next without determine evaluate "
        "simplify given suppose don't it's that's",
        "fr": "me correct le la les des du de un une est et que qui dans pour pas ce cette avec sur par il elle nous on donc alors si "
        "plus ses son sa au aux combien chaque ont sont a été mais ou où leur fait calculer calculez soit trouver "
        "trouvez quel quelle jours total réponse ainsi",
        "de": "start der die das und ist nicht von zu den mit ein eine einen sich auf für dem des im wir also dann wenn es er sie "
        "hat wie viele auch aber als am um wird sind pro jeder jede jeden insgesamt berechne berechnen sei seien finde "
        "bestimmen antwort alle so war daher",
        "es": "me el la los las de que y en un una es por con para se del al lo su sus no si más como cuántos cuántas cada tiene "
        "son hay pero entonces este esta fue le ha todos también hallar calcula calcular sea sean encuentra encontrar "
        "respuesta cuál muy qué así porque",
        "pt": "me o os as de que e em um uma é por com para se do da dos das no na não ao mais como quantos quantas cada tem são "
        "há mas então este esta isso foi ele ela seu sua também calcule calcular seja sejam encontre determine resposta "
        "qual você pelo pela muito assim porque",
        "it": "me il lo la i gli le di che e in un una è per con si del della dei delle nel nella non al alla più come quanti "
        "quante ogni ha sono ma allora questo questa dal sia siano trova trovare calcola calcolare risposta qual quale "
        "anche ci se da quindi perché ho",
        "nl": "me correct start de het een en van is in dat niet te op met voor zijn aan er maar om ook als dan naar wat hoe hoeveel elke "
        "ze hij wij we heeft hebben zij bij uit nog dus werd per totaal bereken antwoord deze dit die worden kan laat ik "
        "je nou",
        "sv": "just start och att det som en på är av för med den till inte har de om ett han men var jag sig från vi så kan när hur "
        "många varje eller blir beräkna svar alltså då",
        "da": "just start og at det som en på er af for med den til ikke har de om et han men var jeg sig fra vi så kan når hvor mange "
        "hver eller bliver beregn svar altså da",
        "no": "just start og at det som en på er av for med den til ikke har de om et han men var jeg seg fra vi så kan når hvor mange "
        "hver eller blir beregn svar altså da",
        "fi": "ja on ei se että hän oli mutta kun niin kuin ovat myös joka tai jos kuinka monta mitä nyt tämä sitten laske vastaus siis",
        "pl": "i w na nie się z że do jest to o jak ale po co ile za od tak przez dla są jeśli każdy był oblicz niech więc "
        "odpowiedź liczba ma",
        "cs": "a v na je že se to s z do o jak ale by co kolik za od tak pro jsou pokud každý byl si má nebo spočítejte nechť tedy odpověď",
        "ro": "și în de la cu nu este pe că un o din care mai sunt pentru ce dacă fiecare câte are au fie aflați calculați "
        "deci răspuns se prin",
        "hu": "a az és hogy nem is egy van volt meg ha de mint csak el minden hány mennyi számítsd legyen ezért válasz majd kell",
        "tr": "ve bir bu için ile da de ne çok kaç olan olarak ise mi her daha gibi kadar sonra hesaplayın olsun cevap toplam "
        "var değil vardır",
        "vi": "là của và có một cho các không được trong người với đã này khi thì từ bao nhiêu mỗi số tính hãy tìm nếu vậy cô "
        "anh ấy những tổng",
        "id": "yang dan di dari untuk dengan adalah ini itu dalam pada tidak berapa setiap jika ia akan ke ada sebuah karena "
        "hitung maka jawaban misalkan tentukan bahwa oleh dapat buah bisa diberikan bilangan menjadi sehingga satu "
        "memiliki seperti lagi sebanyak dia setelah dimana ketika kali",
        "ms": "yang dan di daripada untuk dengan ialah adalah ini itu dalam pada tidak berapa setiap jika akan ke ada sebuah "
        "kerana kira maka jawapan biarkan biarlah cari bahawa oleh boleh integer mari nombor katakan apabila selepas "
        "manakala separuh andaikan diberi lagi tersebut iaitu sahaja seperti bilangan menjadi sedemikian rupa sebanyak "
        "satu mempunyai",
        "sw": "na ya wa kwa ni katika la za cha kila ngapi yake ana kama hii alikuwa kuwa lakini au idadi ikiwa kiasi ambayo "
        "je una tafuta jibu acha basi vya watu siku pia yao",
        "tl": "ang ng mga sa na ay at ni kung ilan bawat para ito niya siya hindi may lang ko ka mo nang kanyang sagot",
        # Cyrillic
        "ru": "и в не на что он она с по как это за из от но то для все так же если сколько у каждый каждого было был их "
        "чтобы или найдите пусть вычислите ответ тогда тоже только его её мы нам всего",
        "uk": "і в не на що він вона з по як це за від але то для все так якщо скільки у кожен було був є та або знайдіть "
        "нехай обчисліть відповідь тоді його її ми всього й до",
        "bg": "и в не на че той тя с по как това за от но то всички така ако колко всеки беше е да се са или намерете нека "
        "пресметнете отговор тогава го ги ние ще си",
        # Arabic
        "ar": "في من على إلى أن هذا هذه التي الذي كان كم عن مع لا ما هو هي كل إذا ثم أو قد لم بعد عدد يكون أوجد ليكن",
        "fa": "در از به که را این است با برای آن یک چند هر تا بود اگر می و شود کنید باشد ها",
        "ur": "کے میں کی ہے اور سے کا کو نے ہیں یہ کہ پر وہ ایک تھا کیا نہیں بھی جو تو ہر",
        # Devanagari
        "hi": "के में की है और से का को ने हैं यह कि पर वह एक था क्या नहीं भी जो तो हर कितने",
        "mr": "आणि आहे च्या मध्ये ते हे की त्या एक नाही होते आहेत किती प्रत्येक व तर काय",
        "ne": "को मा छ र ले लाई यो हरू कि भने एक थियो छन् पनि गर्नुहोस् कति प्रत्येक",
    }.items()
}

LANGUAGES = tuple(FUNCTION_WORDS)
"""The place of a language here is its bit in a word's mask."""

_OFFSET, _PRIME, _WORD = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


def word_hash(word: str) -> int:
    """FNV-1a over the code points of a lower-case word, 64 bits; the kernels hash the words of a text in the same way."""
    found = _OFFSET
    for character in word:
        found = (found ^ ord(character)) * _PRIME & _WORD
    return found


@functools.cache
def word_table() -> tuple[np.ndarray, np.ndarray]:
    """Open addressing by `word_hash`, a power of two long: keys uint64 (0 is empty) and masks uint64 of LANGUAGES."""
    masks: dict[int, int] = {}
    for bit, words in enumerate(FUNCTION_WORDS.values()):
        for word in words:
            key = word_hash(word)
            masks[key] = masks.get(key, 0) | 1 << bit
    size = 1 << (4 * len(masks)).bit_length()
    keys, values = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64)
    for key, mask in masks.items():
        place = key % size
        while keys[place]:
            place = (place + 1) % size
        keys[place], values[place] = key, mask
    return keys, values
