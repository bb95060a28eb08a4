"""Answers as small and large models really write them, and what may be read out of them."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from persona_paradox.kinds.labelled.labels import (
    AMBIGUOUS,
    EMPTY,
    LABEL,
    MISSING,
    NO_ANSWER,
    PARSE_STATUSES,
    STATED,
    THOUGHT,
    UNCLEAR,
    parse_label,
)
from persona_paradox.prompting.thinking import FAMILIES, Marks, behind_thoughts

BUNDLED = Path(__file__).resolve().parents[2] / "resources" / "bundled"

ABC = tuple("ABC")
ABCDE = tuple("ABCDE")
ALL = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
FIVE = tuple("12345")
TENS = ("5", "10", "100")

# The answer is the label, or begins with it.
BARE = [
    ("A", ABC, "A"),
    ("A.", ABC, "A"),
    (" C", ABC, "C"),
    ("C\n", ABC, "C"),
    ("\r\nC\r\n", ABC, "C"),
    (" C)", ABC, "C"),
    ("(B)", ABC, "B"),
    ("[B]", ABC, "B"),
    ("'C'", ABC, "C"),
    ("“C”", ABC, "C"),
    ("«C»", ABC, "C"),
    ("`C`", ABC, "C"),
    ("```\nC\n```", ABC, "C"),
    ("**C**", ABC, "C"),
    ("**C.**", ABC, "C"),
    ("__C__", ABC, "C"),
    ("_C_", ABC, "C"),
    ("> C", ABC, "C"),
    ("- C", ABC, "C"),
    ("| C |", ABC, "C"),
    ("# C", ABC, "C"),
    (": C", ABC, "C"),
    ("✅ C", ABC, "C"),
    ("C!", ABC, "C"),
    ("C,", ABC, "C"),
    ("C...", ABC, "C"),
    ("\u200bC", ABC, "C"),
    ("\ufeffC", ABC, "C"),
    ("<b>C</b>", ABC, "C"),
    ("<answer>C</answer>", ABC, "C"),
    ("$\\text{C}$", ABC, "C"),
    ("a", ABC, "A"),
    ("b.", ABC, "B"),
    ("(c)", ABC, "C"),
    ("I", ALL, "I"),
    ("Q.", ALL, "Q"),
    ("2", FIVE, "2"),
    ("2.", FIVE, "2"),
    ("(2)", FIVE, "2"),
    ("**2**", FIVE, "2"),
    ("#2", FIVE, "2"),
    ("<answer>3</answer>", FIVE, "3"),
    ("10", TENS, "10"),
    ("100.", TENS, "100"),
    # and a word or more behind it
    ("C. Emergency care", ABC, "C"),
    ("C.Emergency care", ABC, "C"),
    ("C) Emergency care", ABC, "C"),
    ("(C) Emergency care", ABC, "C"),
    ("C: Emergency care", ABC, "C"),
    ("C Emergency care", ABC, "C"),
    ("C, Emergency Department Physician.", ABC, "C"),
    ("C (emergency care)", ABC, "C"),
    ("C/emergency care", ABC, "C"),
    ("C = emergency care", ABC, "C"),
    ("**C.** Emergency care", ABC, "C"),
    ("**C**: emergency care", ABC, "C"),
    ("B - routine", ABC, "B"),
    ("B – routine", ABC, "B"),
    ("B—routine", ABC, "B"),
    ("A. Stay home\n\nThe child is well.", ABC, "A"),
    ("A: stay home", ABC, "A"),
    ("A (stay home)", ABC, "A"),
    ("A, stay home", ABC, "A"),
    ("(A) stay home", ABC, "A"),
    ("**A** patient like this stays home", ABC, "A"),
    ("A\nThe patient is well", ABC, "A"),
    ("A because the pain is mild", ABC, "A"),
    ("A as the pain is mild", ABC, "A"),
    ("A since the pain is mild", ABC, "A"),
    ("A for this case", ABC, "A"),
    ("A is the category", ABC, "A"),
    ("A due to mild pain", ABC, "A"),
    ("C\n\nA patient with such pain", ABC, "C"),
    ("C. A patient with such pain", ABC, "C"),
    ("C, A patient with such pain", ABC, "C"),
    ("C. I think that it is serious", ALL, "C"),
    ("C is correct", ABC, "C"),
    ("3: urgent", FIVE, "3"),
    ("3 - urgent", FIVE, "3"),
    ("3 (urgent)", FIVE, "3"),
    ("3, urgent", FIVE, "3"),
    ("3. Urgent", FIVE, "3"),
    ("1. Resuscitation", FIVE, "1"),
    ("2 because of the pain", FIVE, "2"),
    ("3: 2 days of pain", FIVE, "3"),
    (" 1\n**Reason for the question", FIVE, "1"),
    (": A\n\nThe patient is a", ABC, "A"),
    # one label, said again
    ("A. A", ABC, "A"),
    ("B\nB", ABC, "B"),
    ("C C C", ABC, "C"),
    ("C.C.C.", ABC, "C"),
    ("C\n\nC\n\nC", ABC, "C"),
    (" 1: 1\nThe patient", FIVE, "1"),
    ("3 3 3", FIVE, "3"),
    ("C\n\nThe answer is C.", ABC, "C"),
    # others are named in running text only
    ("C. The patient may have hepatitis B", ABC, "C"),
    ("C. The patient may have hepatitis B.", ABC, "C"),
    ("B. The patient had hepatitis A. She is well.", ABC, "B"),
    ("C. E. coli is likely", ABCDE, "C"),
    ("B\n\nVitamin C may help. A friend said so.", ABC, "B"),
    ("C because group B strep is possible", ABC, "C"),
    ("3\n\nFever for 2 days, pain 4 of 10", FIVE, "3"),
    ("3\n\n1. The patient has fever.\n2. The patient is old.", FIVE, "3"),
    ("3: urgent\n\n1. fever\n2. pain", FIVE, "3"),
    ("B\n\nA. stay home\nB. routine care\nC. emergency care", ABC, "B"),
    # negations are no mentions
    ("B, not C", ABC, "B"),
    ("C (not B)", ABC, "C"),
    ("C rather than B", ABC, "C"),
    ("A rather than B", ABC, "A"),
    ("C instead of A", ABC, "C"),
    # a header before it
    ("## Final Response\nC", ABC, "C"),
    ("## Final Response\n\n**C**\n\nThe patient", ABC, "C"),
    ("## Final Response:\nC. Emergency care", ABC, "C"),
    ("**Answer:**\n\n**C**", ABC, "C"),
    ("Answer:\nC", ABC, "C"),
    ("The answer is:\n\nC", ABC, "C"),
    ("Here is my answer:\nC", ABC, "C"),
    ("Triage category\n\n(B)", ABC, "B"),
    ("## Final Response\n3", FIVE, "3"),
    ("<think>A or B?</think>\n\nC", ABC, "C"),
    ("<think>The answer is A.</think>C", ABC, "C"),
    # a thought before it
    ("The answer is A.</think>C", ABC, "C"),
    ("<think><think>A?</think>C", ABC, "C"),
    ("<THINK>A?</THINK>\nC", ABC, "C"),
    ("[THINK]The answer is A[/THINK]C", ABC, "C"),
    ("\u25c1think\u25b7The answer is A\u25c1/think\u25b7C", ABC, "C"),
    ("<reasoning>The answer is A</reasoning><answer>C</answer>", ABC, "C"),
    ("<unused94>thought\nThe answer is A?<unused95>C", ABC, "C"),
    (
        "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>C",
        ABC,
        "C",
    ),
    ("<|channel|>final<|message|>C", ABC, "C"),
    ("analysisThe user wants A?assistantfinalC", ABC, "C"),
    ("<|begin_of_thought|>A?<|end_of_thought|>\n\n<|begin_of_solution|>C", ABC, "C"),
    ("## Thinking\nA is possible, B too.\n\n## Final Response\nC", ABC, "C"),
    ("## Thinking\nMy final answer is A?\n\n## Final Response\n\nC. Emergency", ABC, "C"),
    # small letters with a mark
    ("b) routine care", ABC, "B"),
    ("(b) routine care", ABC, "B"),
    ("b. routine care", ABC, "B"),
    # other scripts and widths
    ("２", FIVE, "2"),
    ("２。", FIVE, "2"),
    ("٣", FIVE, "3"),
    ("Ｃ", ABC, "C"),
    ("（Ｃ）", ABC, "C"),
    ("「C」", ABC, "C"),
    ("C、急診", ABC, "C"),
    ("Cです。", ABC, "C"),
    ("1级", FIVE, "1"),
    ("答案：\nC", ABC, "C"),
    ("## Antwort\nC", ABC, "C"),
    ("3 of 5", FIVE, "3"),
    ("A: Airway obstruction", ABC, "A"),
    ("A. appendicitis", ABC, "A"),
    # others are explained, or denied
    ("C) Urgent\n\nRationale:\nA) is too severe\nB) is too mild", ABC, "C"),
    ("C. Urgent care\n\nWhy the others are wrong:\nA. too severe\nB. too mild", ABC, "C"),
    ("C\n\nA (incorrect)\nB (incorrect)", ABC, "C"),
    ("C, since A is ruled out", ABC, "C"),
    # what looks like a denial
    ("B. No", ABC, "B"),
    ("C. No emergency care needed", ABC, "C"),
    ("C: No red flags, routine care", ABC, "C"),
    ("C (no red flags)", ABC, "C"),
    ("C – unlikely to need admission", ABC, "C"),
]

# A cue says that it is the answer.
SAID = [
    ("Category: B", ABC, "B"),
    (" Category C", ABC, "C"),
    ("Category C: emergency care", ABC, "C"),
    ("**Category:** C", ABC, "C"),
    ("**Triage Category: C**", ABC, "C"),
    ("Triage category: C – emergency care", ABC, "C"),
    ("triage category is (A)", ABC, "A"),
    ("This is category C.", ABC, "C"),
    ("The patient falls into category B.", ABC, "B"),
    ("The answer is C because the pain is new", ABC, "C"),
    ("The answer is C.", ABC, "C"),
    ("Q: Which category?\nThe answer is C.", ABC, "C"),
    ("I: The answer is C.", ABC, "C"),
    ("My final category C", ABC, "C"),
    ("The answer is: C", ABC, "C"),
    ('The answer is "C".', ABC, "C"),
    ("The answer is a C", ABC, "C"),
    ("The answer is C, not B", ABC, "C"),
    ("The answer is C and not B", ABC, "C"),
    ("The answer is C, as B would be too low", ABC, "C"),
    ("The category is C. B would be too low.", ABC, "C"),
    ("The answer is C. A patient like this is at risk.", ABC, "C"),
    ("The correct answer is option B.", ABC, "B"),
    ("The correct answer would be (B) routine", ABC, "B"),
    ("The most appropriate triage category for this patient is **C**.", ABC, "C"),
    ("The most likely category is probably B", ABC, "B"),
    ("Based on the given facts, the answer is C: emergency care.", ABC, "C"),
    ("Rather than waiting, the answer is C", ABC, "C"),
    ("Answer - **B**", ABC, "B"),
    ("Answer=B", ABC, "B"),
    ("Answer：B", ABC, "B"),
    ("Answer: option (C)", ABC, "C"),
    ("Answer: letter C", ABC, "C"),
    ("Answer (A, B or C): C", ABC, "C"),
    ("Option C", ABC, "C"),
    ("I would choose C", ABC, "C"),
    ("I would choose C", ALL, "C"),
    ("I choose A.", ALL, "A"),
    ("I'd go with B", ABC, "B"),
    ("I think C", ALL, "C"),
    ("I think it's C", ABC, "C"),
    ("We would classify this patient as C", ABC, "C"),
    ("I would assign this patient to category B (routine).", ABC, "B"),
    ('I would assign a triage category of "C".', ABC, "C"),
    ("This patient should be triaged as C.", ABC, "C"),
    ("Therefore, C is the correct answer.", ABC, "C"),
    ("my final answer: C", ABC, "C"),
    ("## Final Response: C", ABC, "C"),
    ("## Final Response C", ABC, "C"),
    ('{"answer": "C"}', ABC, "C"),
    ('{"category": "B", "reason": "A patient with"}', ABC, "B"),
    ("$\\boxed{C}$", ABC, "C"),
    ("The answer is $\\boxed{\\text{C}}$.", ABC, "C"),
    ("The patient takes vitamin C. The answer is B.", ABC, "B"),
    ("I would not say the answer is B. The answer is C.", ABC, "C"),
    ("ESI level 2", FIVE, "2"),
    ("ESI 2", FIVE, "2"),
    ("ESI-2", FIVE, "2"),
    ("ESI: level 2", FIVE, "2"),
    ("Emergency Severity Index (ESI): 2", FIVE, "2"),
    ("an ESI score of 2", FIVE, "2"),
    ("The ESI level for this 45-year-old man is 2.", FIVE, "2"),
    ("KTAS 4", FIVE, "4"),
    ("KTAS level: **4**", FIVE, "4"),
    ("The patient is KTAS 4.", FIVE, "4"),
    ("KTAS level 4 (less urgent).", FIVE, "4"),
    ("Level: 3", FIVE, "3"),
    ("Level 3, urgent", FIVE, "3"),
    ("The level is 5.", FIVE, "5"),
    ("This is level 4.", FIVE, "4"),
    ("Level 2 (ESI 2)", FIVE, "2"),
    ("I would rate this as ESI 3.", FIVE, "3"),
    ("Fever for 2 days. Pain 4/10. Level: 3", FIVE, "3"),
    ('{"triage": 3}', FIVE, "3"),
    ("Label: 10", TENS, "10"),
    # a statement beats options, and a final one beats all
    ("A. stay home\nB. routine\nC. emergency\nAnswer: B", ABC, "B"),
    ("A. stay home\nB. routine\nC. emergency\n\nThis is category B.", ABC, "B"),
    ("A, B or C?\n\nThe answer is B.", ABC, "B"),
    ("Category A: home\nCategory B: clinic\nCategory C: hospital\n\nAnswer: B", ABC, "B"),
    ("Level 1 is worst, level 5 is best.\nThe level is 3.", FIVE, "3"),
    ("1. fever\n2. pain\n\nESI level: 3", FIVE, "3"),
    ("The answer is A. On second thought, my final answer is C.", ABC, "C"),
    ("B\n\nFinal answer: C", ABC, "C"),
    ("**Answer: C**\n\nRationale:\nA. too low\nB. too low", ABC, "C"),
    ("The answer is A.\nFinal Answer: The answer is B.", ABC, "B"),
    ("The answer is A.\nFinal Answer:\nThe answer is B.", ABC, "B"),
    ("<thinking>I think the answer is A</thinking>\nThe answer is C", ABC, "C"),
    ("Level 3 of 5", FIVE, "3"),
    ("ESI level 3 out of 5 because of the pain", FIVE, "3"),
    # small letters behind a colon
    ("ANSWER: b", ABC, "B"),
    ("Answer: b", ABC, "B"),
    ("answer: (c)", ABC, "C"),
    ("Answer: c) emergency care", ABC, "C"),
    ("answer: c because of a fever", ABC, "C"),
    ("Answer: a", ABC, "A"),
    ('{"answer": "c"}', ABC, "C"),
    ("$\\boxed{c}$", ABC, "C"),
    # other languages and scripts
    ("答案：C", ABC, "C"),
    ("答案：Ｃ", ABC, "C"),
    ("答案是C。因为B不对", ABC, "C"),
    ("正确答案是：C", ABC, "C"),
    ("【答案】C", ABC, "C"),
    ("答案是B？不，最终答案是C", ABC, "C"),
    ("我选择C。", ABC, "C"),
    ("答えはCです。", ABC, "C"),
    ("正解：C", ABC, "C"),
    ("정답은 C입니다.", ABC, "C"),
    ("Antwort: C", ABC, "C"),
    ("Antwort: c", ABC, "C"),
    ("Die richtige Antwort ist C.", ABC, "C"),
    ("Die Antwort ist B. Endgültige Antwort: C", ABC, "C"),
    ("Respuesta: C", ABC, "C"),
    ("La respuesta correcta es la C.", ABC, "C"),
    ("Réponse : C", ABC, "C"),
    ("Réponse\u202f: C", ABC, "C"),
    ("La bonne réponse est C.", ABC, "C"),
    ("La risposta corretta è C", ABC, "C"),
    ("A resposta correta é C.", ABC, "C"),
    ("Ответ: C", ABC, "C"),
    ("คำตอบคือ C", ABC, "C"),
    ("उत्तर: १", FIVE, "1"),
    ("الإجابة: ١", FIVE, "1"),
    ("分诊级别：1级", FIVE, "1"),
    ("Niveau : 1", FIVE, "1"),
    # nor does a statement take its explanation for options
    ("The correct answer is C) Urgent care.\n\nThe others:\nA) Emergency - not needed", ABC, "C"),
    ("Answer: C. Urgent care\n\nA. Emergency: not needed", ABC, "C"),
    ("Answer: C. Urgent care\n\nA. too much\nB. too little\nD. no", tuple("ABCD"), "C"),
    ("Answer: B. Routine care\n\nA. Emergency: no\nC. Home: no", ABC, "B"),
    ("**Answer: C. Urgent care**\n\n**Explanation:**\n- **A. Emergency** - no", ABC, "C"),
    ("Answer: A. Emergency\n\nWhy not the others:\nB. Routine: no\nC. Home: no", ABC, "A"),
    ("Final answer: C. Urgent care\n\nA. too much\nB. too little", ABC, "C"),
    ("ESI level: 3. Urgent\n1. Fever\n2. Pain", FIVE, "3"),
    # boxes, keys
    ("Thus \\boxed{C}", ABC, "C"),
    ("Final answer: \\boxed{C}. However A is also reasonable", ABC, "C"),
    ("[ ] A\n[x] B", ABC, "B"),
    ("( ) A (x) C", ABC, "C"),
    ("☐ A\n☒ C", ABC, "C"),
    ('{"esi_level": 2, "pain_level": 4}', FIVE, "2"),
    ('{"final_answer": "C"}', ABC, "C"),
    ('{"predicted_category": "C"}', ABC, "C"),
    ('{"answer_letter": "C"}', ABC, "C"),
    # what looks like a condition, a definition or another's level
    ("If the patient is stable, the answer is C.", ABC, "C"),
    ("The user chose A, but the correct answer is B", ABC, "B"),
    ("As a nurse, I assigned level 3", FIVE, "3"),
    ("For this patient, ESI level 3.", FIVE, "3"),
    ("The patient needs at least one resource so level 3", FIVE, "3"),
    ("Level -> 3", FIVE, "3"),
    ("Response: 3 (urgent)", FIVE, "3"),
]

# More than one answer.
SEVERAL = [
    ("A. B.", ABC),
    ("A.B.", ABC),
    ("A. C.\n\nThe child is a", ABC),
    ("A, B, C", ABC),
    ("A, B, C, D, E", ABC),
    ("A, B, C, D, E", ABCDE),
    ("A,B,C", ABC),
    ("A B C", ABC),
    ("A or B", ABC),
    ("A or B because of the pain", ABC),
    ("B or C, depending on the pain", ABC),
    ("B or possibly C", ABC),
    ("B (or C)", ABC),
    ("A and B", ABC),
    ("A/B", ABC),
    ("A & B", ABC),
    ("B -> C", ABC),
    ("A\nB\nC", ABC),
    ("A. A\nB. B\nC. C", ABC),
    ("A. stay home\nB. routine\nC. emergency", ABC),
    ("A. stay home\n\nB. rou", ABC),
    ("A.\nStay home\nB.\nRoutine care", ABC),
    ("- **A.** Stay home\n- **B.** Routine care", ABC),
    ("A: stay home, B: routine, C: emergency", ABC),
    ("A) stay home B) routine C) emergency", ABC),
    ("(A) stay home (B) routine (C) emergency", ABC),
    ("A. stay home B. routine care C. emergency care", ABC),
    ("A = stay home; B = routine; C = emergency", ABC),
    ("A (stay home), B (routine), C (emergency)", ABC),
    ("B routine care, C emergency care", ABC),
    ("A. D.", ABC),
    ("C\n\nB", ABC),
    ("The answer is A or B", ABC),
    ("The answer is either A or B.", ABC),
    ("The answer is between B and C", ABC),
    ("The answer is option A or option B", ABC),
    ("Category: A, B, or C", ABC),
    ("Answer: A. stay home\nB. routine\nC. emergency", ABC),
    ("Answer:\nA. stay home\nB. routine\nC. emergency", ABC),
    ("The answer is A. The answer is B.", ABC),
    ("The answer is B.\nThis is category C.", ABC),
    ("Category A: stay home\nCategory B: routine", ABC),
    ("C\n\nThe answer is B.", ABC),
    ("Final answer: B\n\nFinal answer: C", ABC),
    ("## Final Response\nC\n\n## Final Response\nB", ABC),
    ("## Final Response\nA. stay home\nB. routine", ABC),
    ("## Final Response\nB or C", ABC),
    ("1, 2, 3, 4, 5", FIVE),
    (" 1, 2, 3, 4, 5", FIVE),
    ("1,2,3,4,5", FIVE),
    ("1 2 3 4 5", FIVE),
    (" 5, 10, ", FIVE),
    ("2 or 3", FIVE),
    ("2 to 3", FIVE),
    ("1. resuscitation\n2. emergent\n3. urgent", FIVE),
    ("1\n2\n3", FIVE),
    ("ESI 2 or 3", FIVE),
    ("ESI 2 or ESI 3", FIVE),
    ("Level 2: emergent\nLevel 3: urgent", FIVE),
    ("5 or 10", TENS),
    ("a) home\nB) clinic\nC) hospital", ABC),
    ("答案：A或B\n答案：B", ABC),
    ("答案：A、B", ABC),
    ("Antwort: A\nAntwort: B", ABC),
    ("Answer: C. emergency\nB. routine\nA. home", ABC),
    ("The answer is: A. home\n\nB. routine\n\nC. emergency", ABC),
    ("\\boxed{A} or \\boxed{B}", ABC),
    ("First \\boxed{A}. Correction: \\boxed{C}", ABC),
    # taken back, or left open
    ("The answer is A, no wait, C.", ABC),
    ("The answer is A.\nActually C.", ABC),
    ("The answer is A. Actually, it is C.", ABC),
    ("A\n\nCorrection: C", ABC),
    ("Answer: A, but could be C.", ABC),
    ("ESI 3, upgraded to 2", FIVE),
    ("ESI level 4, but should be 2", FIVE),
    ("Level: 3, possibly 2", FIVE),
]

# A label, but not as an answer.
RUNNING = [
    ("vitamin C", ABC),
    ("hepatitis B", ABC),
    ("The patient may have hepatitis B.", ABC),
    ("group B strep", ABC),
    ("A patient with chest pain", ABC),
    ("A 45-year-old man", ABC),
    ("A few days of rest", ABC),
    ('A "sick" child', ABC),
    ("**A patient** with chest pain", ABC),
    ("I cannot answer this", ALL),
    ("I would like to know more", ALL),
    ("A&E visit", ABCDE),
    ("N/A", ABC),
    ("C-section two weeks ago", ABC),
    ("A-fib with fast rate", ABC),
    ("B+ blood group", ABC),
    ("C. difficile infection", ABC),
    ("E. coli infection", ABCDE),
    ("C/o chest pain", ABC),
    ("39 °C", ABC),
    ("°C", ABC),
    ("pregnancy category C drug", ABC),
    ("The pregnancy category is C", ABC),
    ("not C", ABC),
    ("It isn't B", ABC),
    ("isn't B", ABC),
    ("instead of A", ABC),
    ("rather than category A", ABC),
    ("This is not category C.", ABC),
    ("The answer is not C", ABC),
    ("I do not think the answer is C", ABC),
    ("I don't believe that the answer is C", ABC),
    ("C is not correct", ABC),
    ("unlike category B", ABC),
    ("I would give B vitamins", ABC),
    ("Answer with A, B or C.", ABC),
    ("A.M. visit", ABC),
    ("B.i.d. dosing", ABC),
    ("C.T. of the head", ABC),
    ("C/S two weeks ago", ABC),
    ("B-12 deficiency", ABC),
    ("The patient needs emergency care (C)", ABC),
    ("5-year-old", FIVE),
    ("This patient is a 5-year-old girl", FIVE),
    ("2 days", FIVE),
    ("2 days of fever", FIVE),
    ("blood pressure 120/80", FIVE),
    ("4/10", FIVE),
    ("3.5", FIVE),
    ("3.5 hours", FIVE),
    ("Level: 3.5", FIVE),
    ("42", FIVE),
    (" 42", FIVE),
    ("10%", FIVE),
    ("2 %", FIVE),
    ("38.5 °C", FIVE),
    ("2-3", FIVE),
    ("-3", FIVE),
    ("$3", FIVE),
    ("1:1", FIVE),
    ("1,000", FIVE),
    ("05", FIVE),
    ("pain level 4", FIVE),
    ("The pain level is 4", FIVE),
    ("level of consciousness: 3", FIVE),
    ("motor response: 3", FIVE),
    ("Level 1 trauma center", FIVE),
    ("pain was rated as 5.", FIVE),
    ("105", TENS),
    ("C. auris", ABC),
    ("C. jejuni is likely", ABC),
    ("A. fumigatus", ABC),
    ("A. baumannii", ABC),
    ("S. aureus", ALL),
    ("A: Airway is patent", ABC),
    ("A. Airway\nB. Breathing", ABC),
    ("Antwort: nicht C", ABC),
    ("Ich glaube nicht, dass die Antwort C ist", ABC),
    ("Risposta: A casa", ABC),
    ("答案不是C", ABC),
    ("我不认为答案是C", ABC),
    ("维生素C", ABC),
    ("答案：维生素C", ABC),
    ("疼痛等级：4", FIVE),
    ("4 of 5 criteria", FIVE),
    ("niveau de douleur : 4", FIVE),
    # denied
    ("C is ruled out", ABC),
    ("C is excluded; so B", ABC),
    ("C is unlikely. B", ABC),
    ("C cannot be right", ABC),
    ("C can be ruled out", ABC),
    ("C is tempting, but wrong.", ABC),
    ("C: No", ABC),
    ("A (incorrect)", ABC),
    ("A - wrong", ABC),
    ("A: False", ABC),
    ("A ❌", ABC),
    ("A is too high. B is too low. C fits.", ABC),
    ("Category A (emergency) does not apply", ABC),
    ("Answer: A? No. B.", ABC),
    ("ESI level 1? No.", FIVE),
    ("Level 1 (resuscitation): No", FIVE),
    ("ESI level 2 is excluded", FIVE),
    ("ESI level 3 (rejected)", FIVE),
    # wrong, unlikely or conditional answers
    ("wrong_answer: A", ABC),
    ('{"not_answer": "A"}', ABC),
    ("Least likely answer: A", ABC),
    ("The least likely answer is A", ABC),
    ("Falsche Antwort: A", ABC),
    ("Mauvaise réponse : A", ABC),
    ("Mala respuesta: A", ABC),
    ("Fout antwoord: A", ABC),
    ("Fel svar: A", ABC),
    ("Forkert svar: A", ABC),
    ("Väärä vastaus: A", ABC),
    ("Błędna odpowiedź: A", ABC),
    ("Špatná odpověď: A", ABC),
    ("Rossz válasz: A", ABC),
    ("Yanlış cevap: A", ABC),
    ("Λάθος απάντηση: A", ABC),
    ("Неправильный ответ: A", ABC),
    ("Неправильна відповідь: A", ABC),
    ("गलत उत्तर: A", ABC),
    ("错误答案：A", ABC),
    ("間違った答え: A", ABC),
    ("틀린 답: A", ABC),
    ("If the answer is A, the patient would die.", ABC),
    # definitions, bounds, and others' levels
    ("Category A is for emergencies.", ABC),
    ("ESI level 3 is for patients who need two resources.", FIVE),
    ("For ESI level 3, two resources are needed.", FIVE),
    ("The definition of ESI level 2 is", FIVE),
    ("The nurse assigned level 4.", FIVE),
    ("At least ESI level 3", FIVE),
    ("At most level 3", FIVE),
    ("Level: < 3", FIVE),
    ("Level: > 2", FIVE),
    # medical words
    ("D dimer is elevated.", ABCDE),
    ("C diff colitis", ABC),
    ("C spine cleared", ABC),
    ("B symptoms absent", ABC),
    ("Answer: B cells are low", ABC),
    ("C section", ABC),
    ("C peptide", ABC),
    ("Level of response: 4", FIVE),
    ("Response: 3 (verbal)", FIVE),
    ('{"pain_level": 4}', FIVE),
    # tables and pronouns
    ("|A|Emergency|\n|---|---|\n|Answer|C|", ABC),
    ("I - as a doctor", ALL),
    ("I, as a doctor, cannot", ALL),
]

# Words that the parser must not know.
NOWHERE = [
    ("D", ABC),
    ("Answer: D", ABC),
    ("Category:", ABC),
    ("The answer is", ABC),
    ("## Final Response", ABC),
    ("not a minor issue, emergency care", ABC),
    ("This is non-urgent.", ABC),
    ("stay home", ABC),
    ("Cat", ABC),
    ("ABC", ABC),
    ("C'est grave", ABC),
    ("d'A", ABC),
    ("B12", ABC),
    ("Á", ABC),
    ("A\u0301", ABC),
    ("a\u0301", ABC),
    ("Ähnlich", ABC),
    ("answer: a patient", ABC),
    ("answer: a or b", ABC),
    ("answer: a) home b) clinic", ABC),
    ("Answer: i.e. pain", ABC),
    # letters and numbers that only look like a label
    ("Ответ: С", ABC),
    ("АБВ", ABC),
    ("B型肝炎", ABC),
    ("C反应蛋白", ABC),
    ("选择维生素C治疗", ABC),
    ("Ⓒ", ABC),
    ("①", FIVE),
    ("Ⅲ", FIVE),
    ("三", FIVE),
    ("because it is bad", ABC),
    ("7", FIVE),
    ("level two", FIVE),
    ("H1N1", FIVE),
    ("3²", FIVE),
    ("…", ABC),
    ("\ufffd\ufffd", ABC),
]

# Thoughts that do not end, and what is in them.
THOUGHTS = [
    "<think>\nAnswer: B? Let me think again",
    "<think>",
    "C <think>The answer is A",
    "<thinking>I think the answer is A",
    "<think>A?</think>B<think>The answer is C",
    "<think>First <reasoning>A?</reasoning> The answer is C",
    "<|channel|>analysis<|message|>The answer is A?",
    "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>commentary<|message|>B",
    "analysisThe answer is A?",
    "thought\nThe answer is A",
    "## Thinking\n\nThe answer is A?",
]

CASES = (
    [(*case, LABEL) for case in BARE]
    + [(*case, STATED) for case in SAID]
    + [(*case, None, AMBIGUOUS) for case in SEVERAL]
    + [(*case, None, UNCLEAR) for case in RUNNING]
    + [(*case, None, MISSING) for case in NOWHERE]
    + [(text, ABC, None, EMPTY) for text in ("", " ", "\n", "\r\n\t \u00a0")]
    + [(text, ABC, None, EMPTY) for text in ("<think>A</think>", "A</think>\n")]
    + [(text, ABC, None, THOUGHT) for text in THOUGHTS]
    + [(None, ABC, None, NO_ANSWER)]
)


@pytest.mark.parametrize(("text", "labels", "label", "status"), CASES)
def test_answers(text: str | None, labels: tuple[str, ...], label: str | None, status: str) -> None:
    assert parse_label(text, labels) == (label, status)


@pytest.mark.parametrize("marks", FAMILIES)
def test_what_stands_in_a_thought_is_no_answer(marks: Marks) -> None:
    thought = f"{marks.open}The answer is A. My final answer: B"
    assert parse_label(f"{thought}{marks.close}C", ABC) == ("C", LABEL)
    assert parse_label(thought, ABC) == (None, THOUGHT)
    assert (behind_thoughts(f"{thought}{marks.close} C") or "").strip() == "C"


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("<|start_think|>", "<|end_think|>"),
        ("<|thought_start|>", "<|thought_end|>"),
        ("<mm:think>", "</mm:think>"),
        ("<|reasoning|>", "<|/reasoning|>"),
        ("<|think|>", "<|/think|>"),
        ("<|thinking|>", "<|/thinking|>"),
        ("[:think_start]", "[think_end:]"),
        ("[REASONING]", "[/REASONING]"),
        ("<reason>", "</reason>"),
        ("<analysis>", "</analysis>"),
    ],
)
def test_marks_are_known_by_their_form(begins: str, ends: str) -> None:
    thought = f" {begins}The answer is A. <reasoning>My final answer: B"
    assert parse_label(f"{thought}{ends}C", ABC) == ("C", LABEL)
    if begins not in ("<reason>", "<analysis>"):
        assert parse_label(thought, ABC) == (None, THOUGHT)
        assert parse_label(f"A?{ends}C", ABC) == ("C", LABEL)


@pytest.mark.parametrize(
    "text",
    [
        "[Reason: chest pain]",
        "C because of [reasoning] and <reason>",
        "[Reasoning](https://example.org) C",
        "<reason>chest pain, which",
        "<answer>C</answer><reason>chest pain</reason>",
        "<answer>C</answer>",
        "<no_think>C",
        "<thought] and [thought> C",
    ],
)
def test_words_in_brackets_are_no_thoughts(text: str) -> None:
    assert behind_thoughts(text) == text


def test_channels_with_a_format_and_headings_of_another_depth() -> None:
    final = "<|channel|>final <|constrain|>json<|message|>C"
    assert parse_label(final, ABC) == ("C", LABEL)
    thought = "<|channel|>analysis<|message|>A?<|end|><|start|>assistant"
    assert parse_label(thought + final, ABC) == ("C", LABEL)
    assert parse_label("## Thinking\nA\n# Final Response\nC", ABC) == ("C", LABEL)


@pytest.mark.parametrize(
    "text",
    [
        "1. The patient has chest pain, which may be",
        "1. **Assessment:** The patient",
        "1) Chest pain is a sign of",
        "**1. Airway**",
        "1. Assess the airway.\n2. Check the pulse.",
    ],
)
def test_a_list_that_was_cut_is_no_answer(text: str) -> None:
    assert parse_label(text, FIVE, cut=True)[0] is None


@pytest.mark.parametrize("text", ["1", "1.\nThe patient", "1: 1\nThe patient", "1 because the"])
def test_an_answer_that_was_cut_may_begin_with_its_label(text: str) -> None:
    assert parse_label(text, FIVE, cut=True) == ("1", LABEL)
    assert parse_label(f"A{text[1:]}", ABC, cut=True) == ("A", LABEL)


@pytest.mark.parametrize("labels", [ABC, ABCDE, ALL, FIVE])
@pytest.mark.parametrize("name", ["teaching_ed.csv", "teaching_primary.csv"])
def test_an_echo_of_the_case_gives_no_label(name: str, labels: tuple[str, ...]) -> None:
    with open(BUNDLED / name, encoding="utf-8", newline="") as handle:
        cases = [row["case"] for row in csv.DictReader(handle)]
    assert cases
    for case in cases:
        for text in (case, f"The patient: {case}", case[: len(case) // 2]):
            assert parse_label(text, labels)[0] is None, text


def test_labels_may_come_as_a_list() -> None:
    assert parse_label("B", ["A", "B"]) == ("B", LABEL)


def test_a_label_outside_the_set_is_none() -> None:
    assert parse_label("The answer is C", ("A", "B")) == (None, MISSING)
    assert parse_label("C\n\nThe answer is D", ABC) == (None, AMBIGUOUS)


@pytest.mark.parametrize("labels", [ABC, FIVE])
@pytest.mark.parametrize(
    "piece",
    [
        "A, ",
        "1, ",
        "*",
        "1",
        "a",
        "\n",
        "\\a{",
        "<a",
        "(",
        "answer ",
        "answer (",
        "answer: A, B. ",
        "answer for the ",
        "is the answer: A ",
        "A. x\n",
        "Answer:\n",
        "level 3 or ",
        "I would choose ",
        "not the level: 1 ",
        "C. B B B ",
        "\u0301\u0316",
        "答案",
        "答案是 a ",
        "Antwort ",
        "answer: b ",
        "b) ",
        "<think>",
        "</think>",
        "[Thinking]",
        "<reason>",
        "<|channel|>final ",
        "answer: A\nwhy other ",
        "analysis ",
    ],
)
def test_hostile_text_takes_linear_time(piece: str, labels: tuple[str, ...]) -> None:
    def seconds(length: int) -> float:
        text = "answer: " + (piece * length)[:length] + " A"
        start = time.process_time()
        parse_label(text, labels)
        return time.process_time() - start

    # Quadratic growth would take minutes.
    assert seconds(200_000) < 15


PIECES = st.sampled_from(
    [
        *("A", "B", "C", "a", "b", "I", "1", "2", "3", "5", "10", "42", "D", "N/A", "E. coli"),
        *(" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\x0b", "\u2028"),
        *(
            ".",
            ",",
            ":",
            ")",
            "(",
            "-",
            "–",
            "/",
            "*",
            "**",
            "_",
            "#",
            "'",
            "’",
            '"',
            "%",
            "°",
            "&",
        ),
        *("\\boxed{", "}", "<b>", "</think>", "\u0301", "\u200b", "+", "=", "$", "|"),
        *("answer", "Final Response", "is", "not", "or", "and", "category", "level", "the", "ESI"),
        *("patient", "because", "I would choose", "year-old", "days", "than", "final", "for"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=12).map(" ".join),
)
LABELS = st.sampled_from([ABC, ABCDE, ALL, FIVE, TENS, ("A", "2"), ("C", "B", "A")])


@given(text=st.one_of(st.none(), TEXTS), labels=LABELS)
def test_a_label_or_a_reason_why_not(text: str | None, labels: tuple[str, ...]) -> None:
    label, status = parse_label(text, labels)
    assert status in PARSE_STATUSES
    assert label is None or label in labels
    assert (label is not None) == (status in (LABEL, STATED))


@given(text=TEXTS, labels=LABELS)
@example(text="A ", labels=ABC)
@example(text="Answer:\nC", labels=ABC)
def test_surroundings_do_not_matter(text: str, labels: tuple[str, ...]) -> None:
    label, _ = parse_label(text, labels)
    assert parse_label(f" \n\t{text}\r\n ", labels)[0] == label
    assert parse_label(f"**{text}**", labels)[0] == label


@given(text=TEXTS, labels=LABELS)
def test_line_ends_do_not_matter(text: str, labels: tuple[str, ...]) -> None:
    unix = text.replace("\r", "")
    assert parse_label(unix.replace("\n", "\r\n"), labels) == parse_label(unix, labels)


@given(
    text=st.text(alphabet=st.characters(exclude_characters="ABCabc12345")).filter(
        lambda text: behind_thoughts(text) == text
    )
)
def test_no_label_without_its_characters(text: str) -> None:
    for labels in (ABC, FIVE):
        assert parse_label(text, labels) == (None, MISSING if text.strip() else EMPTY)
