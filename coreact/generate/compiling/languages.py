"""The core of the grammar in Chinese, German, French and Spanish: which tool, which terms, stop or go on.

These rows have no `{tail}`: whatever such a sentence says beyond its form leaves it prose, since negations
and conditions are known in English only.
"""

from __future__ import annotations

from collections.abc import Callable

from coreact.generate.compiling import demands
from coreact.generate.compiling.slots import Slots
from coreact.rubric.checks import Check

Row = tuple[str, Callable[[Slots], Check | None], str]

POSITIVE: tuple[Row, ...] = (
    ("tool_is", demands.tool_is, """
        <zh>(使用|调用|选择)[ ]{tools}[ ][工具|函数|搜索工具]
        <de>(nutze|verwende|benutze|nutzen|verwenden|wähle) [das Werkzeug ]{tools}
        <de_who> {tools} (nutzen|verwenden|benutzen|aufrufen)
        <fr>(utilise|utilisez|utiliser|appelle|appelez|appeler) [l'outil ]{tools}
        <es>(usa|use|usar|utiliza|utilice|utilizar|llama a|llame a|llamar a) [la herramienta ]{tools}
    """),
    ("query_contains", demands.query_contains, """
        <zh>(搜索|检索|查询)[ ]{terms}
        <de>(suche|suchen) nach {terms}
        <de_who> nach {terms} suchen
        <fr>(cherche|cherchez|chercher|recherche|recherchez|rechercher) {terms}
        <es>(busca|busque|buscar) {terms}
    """),
    ("argument_contains", demands.query_terms, """
        [搜索|检索](查询|查询词|搜索词|检索词|关键词)<zh>(包含|包括|含有|提及|提到)[ ]{terms}
        die [such]anfrage (enthält|nennt) {terms}
        die [such]anfrage (soll|sollte|muss) {terms} (enthalten|nennen)
        la requête [(doit|devrait) ](contient|contenir|mentionne|mentionner|inclure) {terms}
        la consulta [(debe|debería) ](contiene|contener|menciona|mencionar|incluir) {terms}
    """),
    ("stops", demands.stops, """
        <zh>[现在|直接|立即](回答[问题]|作答|(给出|提供|输出)[最终]答案)
        <zh>(现在就|直接|立即)(回答[问题]|作答|(给出|提供|输出)[最终]答案)
        (antworte|antworten sie|beantworte die frage)[ jetzt]
        gib [jetzt ]die [endgültige ]antwort
        <de_who> [jetzt ](antworten|die [endgültige ]antwort geben)
        <fr>(réponds|répondez|répondre)[ à la question][ maintenant]
        <fr>(donne|donnez|donner) la réponse [finale]
        <es>(responde|responda|responder)[ a la pregunta][ ahora]
        <es>(da|dé|dar) la respuesta [final]
    """),
    ("does_not_stop", demands.does_not_stop, """
        <zh>继续(搜索|检索|查找|收集证据|收集信息)
        (suche|recherchiere|sammle) weiter
        (continue|continuez|continuer) (à chercher|les recherches)
        (sigue|siga|seguir) buscando
    """),
)  # fmt: skip

NEGATED: tuple[Row, ...] = (
    ("tool_is_not", demands.tool_is_not, """
        <zh_not>(使用|调用|选择)[ ]{tools}[ ][工具|函数]
    """),
    ("new_query", demands.new_query, """
        <zh_not>(重复|重复使用)[任何](之前|此前|先前|以前|已有|已用过|用过)的(查询|搜索|检索)[词]
        (wiederhole|wiederholen sie) keine [frühere|vorherige|frühere |vorherige ](suche|anfrage|suchanfrage)
        ne (répète|répétez|répéter) (pas une|aucune) (requête|recherche) [précédente]
        ne pas répéter une (requête|recherche) précédente
        no (repitas|repita|repetir) (una|ninguna) (consulta|búsqueda) [anterior]
    """),
    ("does_not_stop", demands.does_not_stop, """
        <zh>[暂时|现在|先](不要|不应|不应该|请勿|勿)[现在|立即|急于](回答[问题]|作答|(给出|提供)[最终]答案)
        (antworte|antworten sie) noch nicht
        <de_who> noch nicht antworten
        ne (réponds|répondez) pas (encore|maintenant)
        ne pas répondre (encore|maintenant)
        no (respondas|responda|responder) (todavía|aún)
    """),
)  # fmt: skip
