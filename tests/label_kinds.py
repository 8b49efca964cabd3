"""Replies by the kind of fault that they tempt a reader to, with the label that each names."""

from __future__ import annotations

from tests.label_replies import LETTERS, SENTIMENT, STARS, YES

__all__ = ["KINDS"]

Labels = tuple[str, ...]

MAIL = ("spam", "ham")
ROMAN = ("I", "II", "III")
GRADES = ("A", "A-", "B", "B+")
SPANISH = ("no", "sí")
CHINESE = ("正面", "负面")
THAI = ("บวก", "ลบ")
JAPANESE = ("肯定", "否定")
ARABIC = ("إيجابي", "سلبي")
KOREAN = ("긍정", "부정")
POSITIVO = ("negativo", "positivo")
NEWS = ("World", "Sports", "Business", "Sci/Tech")
EMOTION = ("joy", "anger", "fear", "none")
TOXIC = ("toxic", "not toxic")
HATE = ("hate", "offensive", "neither")
URGENCY = ("urgent", "normal")
ROMAN_4 = ("I", "II", "III", "IV")
FRAUD = ("fraud", "legit")
STANCE = ("pro", "con", "neutral")
CHINESE_TOPICS = ("体育", "财经", "科技")
SHI_FOU = ("是", "否")
KATAKANA = ("ポジティブ", "ネガティブ")
THAI_ADJECTIVES = ("เชิงบวก", "เชิงลบ")
ARABIC_TOPICS = ("رياضة", "سياسة")
RUSSIAN = ("положительный", "отрицательный")
GERMAN = ("positiv", "negativ")
FRENCH = ("positif", "négatif")
POSITIVO_NEGATIVO = ("positivo", "negativo")
HINDI = ("सकारात्मक", "नकारात्मक")
ABC = ("A", "B", "C")

KINDS: dict[str, dict[Labels, dict[str | None, list[str]]]] = {
    "exact": {
        GRADES: {
            "A": ["A", "The grade is A.", '"A"', "a"],
            "A-": ["A-", "A-.", "**A-**", "Grade: A-", "The grade is A-."],
            None: ["A+"],
            "B": ["B"],
            "B+": ["B+", "b+", "I would give it a B+.", "`B+`"],
        },
        ("A", "A*"): {
            "A*": ["A*", "**A***", "The grade is A*."],
            "A": ["**A**"],
        },
        ("A", "B"): {
            None: ["A-", "A+"],
        },
        ("C", "Java"): {
            None: ["C++", "C#", "The language is C#."],
        },
        ("gene", "GENE"): {
            "gene": ["gene"],
            "GENE": ["GENE", "The answer is GENE."],
            None: ["Gene"],
        },
        ("résumé", "resume"): {
            "résumé": ["résumé", "re\u0301sume\u0301"],
            "resume": ["resume"],
        },
        ("Ａ", "A"): {
            "Ａ": ["Ａ"],
            "A": ["A"],
        },
        ("👍", "👎"): {
            "👍": ["👍", "Label: 👍"],
            "👎": ["👎."],
        },
        ("😀", "😃"): {
            "😃": ["😃"],
        },
        (".net", "net"): {
            ".net": [".net"],
            "net": ["net"],
        },
        ("v1.0", "v1"): {
            "v1.0": ["v1.0"],
            "v1": ["v1"],
        },
        ("Python", "Java"): {
            None: ["Python 3"],
        },
        ("I/O", "I"): {
            "I/O": ["I/O"],
        },
        ("#bug", "bug"): {
            "#bug": ["#bug"],
            "bug": ["bug"],
        },
        ("a_b", "a-b"): {
            "a_b": ["a_b"],
            "a-b": ["a-b"],
            None: ["a b"],
        },
        ("null", "some"): {
            "null": ["null"],
        },
        ("none", "some"): {
            "none": ["none", "None"],
        },
        ("A+", "A", "A-", "B"): {
            "A+": ["A+", "My grade: A+"],
            "A": ["A"],
            "A-": ["(A-)"],
        },
        ("C#", "C", "F#", "F"): {
            "F#": ["F#"],
            "C": ["Answer: C."],
        },
        ("Node", "Node.js"): {
            "Node.js": ["Node.js", "node.js"],
            "Node": ["It is about Node."],
        },
        ("p53", "P53"): {
            "p53": ["p53"],
            "P53": ["The label is P53."],
        },
        ("M/F", "M"): {
            "M": ["M"],
            "M/F": ["M/F"],
        },
        ("24/7", "24"): {
            "24": ["24"],
            "24/7": ["24/7"],
        },
        ("1", "10", "100"): {
            "10": ["10"],
            "100": ["100"],
        },
        ("v2", "v2.1"): {
            "v2": ["v2."],
            "v2.1": ["Label: v2.1"],
        },
        ("más", "mas"): {
            "más": ["más"],
            "mas": ["mas"],
        },
        ("Straße", "Strasse"): {
            "Straße": ["Straße"],
            "Strasse": ["Strasse"],
        },
        ("🙂", "🙁"): {
            "🙁": ["🙁"],
            "🙂": ["The emoji is 🙂"],
        },
        ("x*", "x"): {
            "x*": ["x*"],
            "x": ["x"],
        },
        ("+", "-"): {
            "+": ["+"],
            "-": ["-"],
        },
        ("dobre", "złe"): {
            "złe": ["Odpowiedź: złe"],
        },
        ("goed", "slecht"): {
            None: ["Dit is geenszins goed"],
        },
        ("bun", "rau"): {
            None: ["Nu este bun"],
        },
        ("καλό", "κακό"): {
            None: ["Δεν είναι καλό"],
        },
        ("טוב", "רע"): {
            None: ["זה לא טוב"],
        },
        ("good", "bad"): {
            None: ["Ini bukan good"],
        },
        ("<5", "5+"): {
            "<5": ["&lt;5"],
        },
        ("it's ok", "bad"): {
            "it's ok": ["it&#39;s ok"],
        },
        ("safe", "unsafe"): {
            None: [
                "Unsafe: no",
                "Unsafe: 0 %",
                "It is not unsafe.",
                "unsafe is ruled out",
                "devoid of anything unsafe",
                "Nothing here is unsafe",
                "Unsafe — unlikely",
                "Unsafe, no.",
                "Unsafe: nej",
                "Unsafe: tidak",
                "Unsafe? Tidak.",
            ],
            "safe": ["unsafe? no, safe", "The text is safe.", "Safety: safe"],
        },
        ("news", "opinion", "ad"): {
            "news": ["1. The text reports an event. Therefore it is news."],
            "opinion": [
                "news, opinion or ad? I'd pick opinion.",
                "I would label it opinion.",
                "opinion rather than news",
                "This is an opinion piece, not news.",
                "Ad? No. Opinion.",
            ],
            None: ["It reads like an ad.", "ad-free"],
            "ad": ["Neither news nor opinion; it is an ad.", "An ad."],
        },
        ("0", "1", "2"): {
            "0": ["0", "1. First, it is hot. I choose 0."],
            "1": ["Label: 1"],
            "2": ["There are 0 errors, so the class is 2."],
            None: ["2%", "1.5"],
        },
        ("IT", "HR", "PR"): {
            "IT": ["IT", "it", "Department: IT"],
            "HR": ["It is about payroll: HR"],
            "PR": ["It belongs to PR."],
            None: ["The ticket goes to IT."],
        },
        ("vero", "falso"): {
            "vero": ["Vero.", "È vero."],
        },
        ("hot", "cold"): {
            None: ["hot dog", "It is cold, isn't it?"],
            "hot": ["It is hot.", "hot!", "HOT"],
            "cold": ["The soup was not hot, it was cold.", "It isn't hot at all. Cold."],
        },
    },
    "json": {
        GRADES: {
            "A-": ['{"label": "A-"}'],
        },
        MAIL: {
            None: [
                '{"spam": false}',
                '{"spam": "no"}',
                '{"spam": 0}',
                '{"is_spam": false}',
                '{"not_spam": true}',
                '{"label": true}',
                '{"spam": "false"}',
                '{"spam": null}',
                '{"label": {"spam": false}}',
                '{"spam": 0.1, "ham": 0.9}',
                "{'spam': False}",
                '```json\n{"spam": false}\n```',
            ],
            "spam": [
                '{"spam": true}',
                '{"spam": true, "ham": false}',
                '{"spam": "yes"}',
                '{"spam": 1}',
                '[{"label": "spam", "score": 0.1}]',
                "{'spam': True}",
            ],
            "ham": [
                "[ ] spam\n[x] ham",
                '{"ham": true}',
                '{"spam": false, "ham": true}',
                '{"label": {"spam": false, "ham": true}}',
            ],
        },
        YES: {
            "yes": ['{"label": true}'],
            "no": ['{"label": false}', '{"answer": false}'],
        },
        ("true", "false"): {
            "true": ['{"label": true}'],
        },
        ("null", "some"): {
            "null": ['{"label": null}'],
        },
        ("none", "some"): {
            "none": ['{"label": "none"}'],
        },
        SENTIMENT: {
            None: ['{"label": null}', '{"rejected": "positive"}'],
            "positive": [
                '{"label": "positive", "score": NaN}',
                '{"label": "positive", "score": -Infinity}',
                '{"label": "positive", "x": "\ud800"}',
                '{"label": "positive", "alternatives": ["negative"]}',
                '{"polarity": "positive"}',
            ],
        },
        ("C#", "C", "F#", "F"): {
            "F": ['{"label":"F"}'],
        },
        FRAUD: {
            None: ['{"fraud": false}', '{"fraud": "False"}'],
        },
        ("None", "Some"): {
            "None": ['{"label": "None"}'],
        },
        ("null", "value"): {
            "null": ['{"answer": null}'],
        },
        ("True", "False"): {
            "True": ['{"label": true}'],
        },
        ("safe", "unsafe"): {
            None: ['{"unsafe": false}'],
            "unsafe": ['{"unsafe": true}'],
        },
        ("0", "1", "2"): {
            "2": ['{"label": 2}'],
            "1": ['{"class": 1.0}'],
        },
    },
    "denials": {
        MAIL: {
            None: [
                "Spam: no",
                "Spam? No.",
                "Spam: 0%",
                "Spam: 0 %",
                "Spam: 0.0",
                "Spam - no",
                "Spam (no)",
                "Spam: No.",
                "Spam = false",
                "Spam: none",
                "Spam: not detected",
                "Spam: nein",
                "Spam\nNo",
                "**Spam:** no",
                "Is it spam? No.",
                "The mail is free of spam.",
                "It is devoid of spam",
                "Spam is unlikely.",
                "Spam can be ruled out.",
                "Spam is ruled out",
                "I rule out spam.",
                "This is unlikely to be spam.",
                "no spam",
                "Not: spam",
                "not spam",
                "spam-free",
                "spam free",
                "zero spam",
                "0% spam",
                "❌ spam",
                "Spam: 5%",
                "spam: absent",
                "spam is absent",
                "Absence of spam.",
                "I exclude spam.",
                "Wrong label: spam",
                "It is far from spam",
                "Everything but spam",
                "I doubt that the label is: spam",
                "This is definitely not: spam",
                "Anything but spam.",
                "Spam: never",
                "Spam — no",
                "Spam -> false",
                "Spam: n",
                "Spam: N/A",
                "Spam: 0",
                "Spam: 0/10",
                "spam=0",
                "P(spam) = 0.02",
                "spam probability: 3%",
                "Spam: low",
                "Spam: unlikely",
                "Spam: ruled out",
                "Spam: negative",
                "Spam: No, this is a normal message.",
                "Spam? Not at all.",
                "Spam? Hardly.",
                "Spam? Nope.",
                "The probability of spam is 0%.",
                "There is a 0% chance of spam.",
                "This cannot be spam.",
                "No sign of spam.",
                "Without any spam",
                "lacks spam",
                "I see no reason to call it spam.",
                "Calling it spam would be wrong.",
                "Spam is out of the question.",
                "This is clean of spam.",
                "clear of spam",
                "It would be wrong to say spam.",
                "spam is improbable",
                "Spam is off the table.",
                "It is immune to spam.",
                "hardly spam",
                "This is not what I would call spam.",
                "There's little spam here",
                "I would avoid spam here",
                "The message was mistaken for spam.",
                "It looks like spam but isn't.",
                "It looks like spam, but it is not.",
                "People who hate spam will like it.",
                "It pretends to be spam.",
                "It used to be spam.",
                "It would have been spam.",
            ],
            "spam": ["Is it spam? Yes.", "Spam: yes", "Spam? Yes."],
            "ham": [
                "☐ spam\n☑ ham",
                "~~spam~~ ham",
                "Spam? No, ham.",
                "Spam? No! It is ham.",
                "spam: false\nham: true",
                "- spam: no\n- ham: yes",
            ],
        },
        SENTIMENT: {
            "positive": [
                "negative? I would say positive",
                "Negative? I'd say positive.",
                "negative? No, positive",
                "Positive - no negative words.",
            ],
            None: [
                "It is not, in my opinion, positive.",
                "It is not so positive.",
                "The tone may be positive.",
                "It could be positive",
                "positive? No: negative.",
                "It's not that it is positive.",
            ],
            "negative": [
                "negative, definitely not positive",
                "It is negative and not positive.",
                "positive? I would go for negative",
                "Is it positive or negative? It is negative.",
                "Positive? Hmm. I'd choose negative.",
                "Could this be positive? The answer: negative",
                "Answer: **negative**\n\nThe text is not positive.",
                "The answer isn't positive, it's negative",
            ],
        },
        YES: {
            "yes": ["No, I would say yes.", "Yes, no doubt.", "Is it? Yes."],
            None: ["There is no doubt: yes"],
            "no": ["Spam: no", "Is it spam? No.", "No.", "Yes or no? I say no."],
        },
        NEWS: {
            "Sports": ["World? No, it's Sports."],
        },
        TOXIC: {
            "not toxic": ["not toxic", "The comment is not toxic.", "toxic? no, not toxic"],
            None: ["It isn't toxic.", "Toxic: no"],
        },
        HATE: {
            "neither": ["neither", "The answer is neither."],
            None: ["It is neither hate nor offensive."],
        },
        FRAUD: {
            None: [
                "Fraud: no",
                "Fraud? None.",
                "Fraud: 0.0%",
                "fraud = 0",
                "Fraud - none detected",
                "This is free from fraud.",
                "It seems devoid of any fraud.",
                "Fraud seems unlikely here.",
                "We can rule out fraud.",
                "Fraud has been ruled out.",
                "There's no indication of fraud.",
                "I see no fraud.",
                "fraud: not applicable",
                "Fraud? Absolutely not.",
                "Not fraud",
                "Nothing suggests fraud.",
                "I would not go with fraud.",
                "The opposite of fraud.",
                "Fraud (unlikely)",
                "Fraud: ✗",
                "fraud: ❌",
                "fraud → no",
                "| fraud | no |",
                "Fraud probability: 0%",
                "Fraud can be excluded.",
                "Fraud is not present",
                "Fraud is absent.",
                "not a case of fraud",
                "Far from being fraud",
                "I refuse to call it fraud.",
                "Fraud is the wrong label.",
                "It's anything but fraud.",
            ],
            "fraud": ["Fraud: yes", "Fraud: ✅"],
        },
        STANCE: {
            "con": ["pro or con? I would choose con."],
        },
    },
    "languages": {
        MAIL: {
            None: ["Spam: нет"],
        },
        SPANISH: {
            "sí": ["No, es sí"],
        },
        POSITIVO: {
            None: ["El texto no es positivo.", "Tampoco es positivo"],
            "positivo": ["El texto es positivo."],
            "negativo": ["No es positivo, es negativo."],
        },
        SENTIMENT: {
            None: [
                "De tekst is niet positive.",
                "Der Text ist nicht positive",
                "Tekst nie jest positive",
                "Teksti ei ole positive.",
                "Metin positive değil.",
                "Texten är inte positive",
                "Il testo non è positive",
                "Ce texte n'est pas positive.",
                "Это не positive",
                "A szöveg nem positive",
                "Văn bản không positive",
                "Teksti on tuskin positive",
                "这条评论不是positive的。",
            ],
            "positive": ["这条评论是positive的。"],
        },
        CHINESE: {
            "正面": [
                "正面。理由：演员很好。",
                "这条评论的情感是正面的。",
                "情感：正面。",
                "我认为这是一个正面的评论。",
                "**正面**",
                '{"标签": "正面"}',
            ],
            None: [
                "这条评论不是正面的。",
                "很难说是正面的",
                "正面：否",
                "正面还是负面？",
                "非正面",
                "并非正面。",
                "正面和负面",
                "毫无正面之处",
            ],
            "负面": [
                "这条评论的情感是负面的",
                "答案：负面",
                "正面吗？不，是负面。",
                "这段文字属于负面情感。",
            ],
        },
        THAI: {
            "บวก": ["ข้อความนี้เป็นบวก", "บวก"],
            None: ["ข้อความนี้ไม่เป็นบวก", "ข้อความนี้ไม่ใช่บวก"],
            "ลบ": ["คำตอบ: ลบ", "ข้อความนี้เป็นลบครับ"],
        },
        JAPANESE: {
            "肯定": ["この文は肯定です。", "この文は肯定的です。"],
            None: ["この文は肯定ではない。", "この文は肯定ではありません"],
            "否定": ["否定。理由は批判的だから。"],
        },
        ARABIC: {
            "إيجابي": ["إيجابي", "هذا النص إيجابي."],
            None: ["هذا النص ليس إيجابي"],
            "سلبي": ["التصنيف: سلبي", "هل هو إيجابي؟ لا، سلبي"],
        },
        KOREAN: {
            "긍정": ["이 리뷰는 긍정입니다.", "이 리뷰는 긍정적입니다"],
            None: ["이 리뷰는 긍정적이지 않습니다"],
        },
        URGENCY: {
            "urgent": ["It is urgent.", "C'est urgent."],
            None: [
                "Ce n'est pas urgent.",
                "Das ist nicht urgent",
                "No es urgent",
                "Non è normal",
                "Não é normal.",
                "Nie jest normal",
                "Ei ole normal",
                "Ikke normal",
                "Inte normal.",
                "Niet urgent",
                "Bukan normal",
                "Tidak urgent",
                "Hindi urgent",
                "Hayır, normal değil",
                "Này là normal",
                "nu e normal",
                "Není to normal",
                "Nije normal",
                "Det er ikke normal.",
                "Den är inte normal",
                "Tämä ei ole normal",
                "Ez nem normal",
            ],
            "normal": ["Es ist normal.", "É normal."],
        },
        POSITIVO_NEGATIVO: {
            "negativo": ["No, es negativo", "El sentimiento es negativo."],
            None: ["No creo que sea positivo", "No diría que es positivo", "Nada positivo"],
        },
        FRENCH: {
            "négatif": ["Le sentiment est négatif.", "Non, c'est négatif."],
            None: ["Ce n'est pas positif", "Il n'y a rien de positif."],
        },
        GERMAN: {
            "negativ": ["Der Text ist negativ.", "Nein, es ist negativ"],
            None: ["Das ist keineswegs positiv.", "kaum positiv", "alles andere als positiv"],
        },
        RUSSIAN: {
            None: ["Отзыв отрицательный.", "Отзыв не положительный"],
            "отрицательный": ["Это отрицательный отзыв."],
            "положительный": ["Ответ: положительный"],
        },
        HINDI: {
            "सकारात्मक": ["यह समीक्षा सकारात्मक है।"],
            None: ["यह सकारात्मक नहीं है"],
            "नकारात्मक": ["नकारात्मक"],
        },
        ("positif", "negatif"): {
            None: ["Bu metin positif değil."],
        },
        ("dobre", "złe"): {
            None: ["To nie jest dobre"],
        },
        ("bra", "dålig"): {
            None: ["Det är inte bra"],
        },
        ("goed", "slecht"): {
            None: ["Het is niet goed"],
        },
        ("hyvä", "huono"): {
            None: ["Se ei ole hyvä"],
        },
        ("jó", "rossz"): {
            None: ["Ez nem jó"],
        },
        CHINESE_TOPICS: {
            "体育": ["体育。因为提到了球队。", "答案是体育。"],
            "科技": ["这篇文章属于科技类。", "该文本的主题是科技"],
            None: ["这篇文章不属于科技类。", "体育或财经", "这不是体育新闻"],
            "财经": ["类别：财经", "不是体育，是财经。"],
        },
        SHI_FOU: {
            "是": ["是"],
            "否": ["否。", "答案：否"],
            None: ["是的"],
        },
        KATAKANA: {
            "ポジティブ": ["このレビューはポジティブです。"],
            "ネガティブ": ["ネガティブ。理由:不満が多い。"],
            None: ["ポジティブではありません。", "ポジティブとは言えない"],
        },
        THAI_ADJECTIVES: {
            "เชิงบวก": ["ข้อความนี้เป็นเชิงบวก"],
            None: ["ไม่เป็นเชิงบวก"],
            "เชิงลบ": ["คำตอบคือเชิงลบ"],
        },
        ARABIC_TOPICS: {
            "رياضة": ["الموضوع رياضة."],
            None: ["الموضوع ليس رياضة"],
            "سياسة": ["الإجابة: سياسة"],
        },
        ("vero", "falso"): {
            None: ["Non è vero"],
            "falso": ["No, è falso."],
        },
    },
    "sentences": {
        SENTIMENT: {
            "positive": [
                "Not negative: positive",
                "Der Text ist positive.",
                "It is overwhelmingly positive.",
                "I'd say it's positive.",
                "This one is positive, I'd say.",
                "Positive, I would say.",
                "This is a positive sentence.",
                "It sounds positive",
                "Looks positive to me",
                "It is most likely positive.",
                "Probably positive.",
                "Sentiment=positive",
                "sentiment → positive",
                "The overall sentiment is positive",
                "The sentiment expressed here is positive.",
                "positive sentiment",
                "Positive review",
                "I classify the text as positive",
                "The label would be positive",
                "Clearly positive.",
                "Definitely positive!",
                "It's positive",
                "Its positive",
                '"positive" is the label',
                "positive (confidence: 0.9)",
                "positive | 0.98",
                "Label 1: positive",
                "the text is rated positive",
                "Some might say negative, I say positive.",
                "<|begin_of_thought|>negative<|end_of_thought|><|begin_of_solution|>positive<|end_of_solution|>",
                "<unused94>thought\nnegative<unused95>positive",
                "My final answer is positive.",
                "I cannot find anything negative; positive.",
                "positive=True",
                "sentiment: 'positive' (not 'negative')",
                "They said it was positive.",
            ],
            None: [
                "Positive. Actually, it is negative.",
                "The review has a positive tone.",
                "Positive 0.98",
                "I was going to say negative, but it is positive.",
                "<reasoning>negative",
                "I'd lean positive.",
                "positive=False",
            ],
            "negative": [
                "Not a positive word in it, so negative.",
                "negative (not positive)",
                "negative: yes, positive: no",
            ],
        },
        NEWS: {
            "Sci/Tech": ["sci/tech", "Category: Sci/Tech"],
            None: ["Sci-Tech"],
            "Sports": ["It belongs to the Sports category."],
            "Business": ["The article is about business."],
        },
        EMOTION: {
            "none": ["none", "None."],
            "joy": ["The emotion is joy.", "joy, none of the others"],
            None: ["None of these"],
        },
        STANCE: {
            "con": ["con"],
            "neutral": ["neutral: neither pro nor con"],
        },
    },
    "reasoning": {
        SENTIMENT: {
            None: ["It isn't, I think, positive", "analysisThe text seems negative, so"],
            "positive": [
                "<mm:think>negative</mm:think>positive",
                "<seed:think>negative</seed:think>\npositive",
                "◁think▷negative◁/think▷positive",
                "analysisThe text seems negative.assistantfinalpositive",
                "[THINK]negative[/THINK]positive",
                "<|channel|>final<|message|>positive",
                "<|channel>thought\nnegative<channel|>positive",
                "<|START_THINKING|>negative<|END_THINKING|>positive",
                "<think>a</think>positive<|im_end|>\n<|im_start|>user\nnegative",
                "<thinking>negative</thinking>\n\nPositive",
                "<|channel|>analysis<|message|>negative<|end|><|start|>assistant<|channel|>final<|message|>positive",
                "<seed:think>negative</seed:think>positive",
                "analysisUser wants label. Negative?assistantfinal**Positive**",
                "<think>\nnegative</think>\n<answer>positive</answer>",
            ],
        },
        ROMAN: {
            "III": ["I think it is III.", "III, I think."],
            "II": ["I think that II is correct."],
        },
        FRAUD: {
            None: ["Fraud? I don't think so."],
        },
    },
    "short": {
        STARS: {
            "2": [
                "1. The text complains. So the rating is 2.",
                "1. The text complains. I would give it 2.",
                "From 1 to 5: 2",
                "3. The service was slow, so I would rate it 2.",
            ],
            "4": [
                "On a scale of 1 to 5, I would give it a 4.",
                "Step 1: It complains. Step 2: it is rude. Rating: 4.",
                "The reviewer has 2 dogs. I would say 4.",
            ],
            None: [
                "1. It complains.\n2. It is rude.",
                "I'd rate this a 3 out of 5.",
                "3/5",
                "Between 1 and 5, I choose 2.",
                "three",
            ],
            "3": [
                "2. It complains. My rating: 3",
                "I'd rate this 3.",
                "3 stars",
                "#3",
                "No. 3",
                "３",
                "2 or 3? I would go with 3.",
            ],
            "5": [
                "1) It praises.\n2) It thanks.\nFinal answer: 5",
                "The rating is 5 because of 3 reasons.",
            ],
            "1": [
                "There are 2 complaints, so 1.",
                "1. Bad food. 2. Rude staff. Therefore my score is 1.",
            ],
        },
        ROMAN: {
            "II": ["I, on reflection, choose II.", "II", "II.", "Option II fits best."],
            "III": [
                "I choose III",
                "I. The text complains. So the answer is III.",
                "I would choose III.",
            ],
            "I": ["I", "I'd go with I."],
        },
        ABC: {
            "B": [
                "A, B or C? I would go with B.",
                "Option B",
                "The answer is (B).",
                "A is wrong, B is right.",
                "A or B? B.",
                "Is it A? I would say B.",
                "A good review, so B.",
                "The best choice is B",
            ],
            "C": [
                "I would go with C.",
                "A text like this is a C.",
                "(C)",
                "C.",
                "A? B? C? My answer: C.",
                "I choose option C because A is too broad.",
                "Choose C",
            ],
            "A": ["I'd pick A.", "A: a review", "Option A: a film review"],
        },
        ROMAN_4: {
            "IV": ["I, having read it, pick IV."],
            "II": ["I believe the answer is II."],
            "III": ["I'd say III"],
        },
        LETTERS: {
            "D": ["A, C or D? My pick is D.", "D, not A"],
            "C": ["A quick look suggests C."],
            "A": ["I choose A."],
        },
    },
    "invisible": {
        ("R&D", "sales"): {
            "R&D": ["R&amp;D", "The department is R&amp;D.", "R&D"],
        },
        SENTIMENT: {
            "positive": [
                "posi\xadtive",
                "posi\u200btive",
                "\ufeffpositive",
                "p\u2060ositive.",
                "\u200bpositive\u200b",
                "pos\xadi\xadtive.",
            ],
        },
        ("AT&T", "Verizon"): {
            "AT&T": ["AT&amp;T"],
        },
        ("sub-topic", "topic"): {
            "sub-topic": ["sub\xad-topic"],
        },
    },
}
"""By kind, label set and label (None: no label can be read for sure)."""
