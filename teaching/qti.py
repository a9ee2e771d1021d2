"""Pack the bank of questions as QTI 2.1, a standard of many learning platforms.

The form of its files: https://www.imsglobal.org/question/. OpenOlat, TAO and Blackboard
are among those that read it.
"""

import io
import zipfile
from html import escape as in_xml

from bank import LETTERS, by_chapter, inline, mixed, text_of, why

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
IMS, XSI = "http://www.imsglobal.org/xsd", "http://www.w3.org/2001/XMLSchema-instance"
QTI = (
    f'xmlns="{IMS}/imsqti_v2p1" xmlns:xsi="{XSI}" '
    f'xsi:schemaLocation="{IMS}/imsqti_v2p1 {IMS}/qti/qtiv2p1/imsqti_v2p1p2.xsd"'
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment in a zip, the same each time
OUTCOMES = """\
<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float">
<defaultValue><value>0</value></defaultValue>
</outcomeDeclaration>
<outcomeDeclaration identifier="FEEDBACK" cardinality="single" baseType="identifier"/>
"""
# The right choice gets a point, and each choice the feedback of its letter.
PROCESSING = """\
<responseProcessing>
<responseCondition><responseIf>
<match><variable identifier="RESPONSE"/><correct identifier="RESPONSE"/></match>
<setOutcomeValue identifier="SCORE"><baseValue baseType="float">1</baseValue>
</setOutcomeValue>
</responseIf></responseCondition>
<setOutcomeValue identifier="FEEDBACK"><variable identifier="RESPONSE"/>
</setOutcomeValue>
</responseProcessing>
"""


def item(question):
    """One question as an item: a point for the right choice, a reason for each."""
    choices = list(zip(LETTERS, mixed(question), strict=False))
    right = next(letter for letter, choice in choices if "right" in choice)
    shown = "\n".join(
        f'<simpleChoice identifier="{letter}">{inline(text_of(choice))}</simpleChoice>'
        for letter, choice in choices
    )
    reasons = "\n".join(
        f'<modalFeedback outcomeIdentifier="FEEDBACK" identifier="{letter}" '
        f'showHide="show">{inline(why(question, choice))}</modalFeedback>'
        for letter, choice in choices
    )
    return f"""{XML}<assessmentItem {QTI} identifier="{question["id"]}"
  title="{question["id"]}" adaptive="false" timeDependent="false">
<responseDeclaration identifier="RESPONSE" cardinality="single" baseType="identifier">
<correctResponse><value>{right}</value></correctResponse>
</responseDeclaration>
{OUTCOMES}<itemBody>
<choiceInteraction responseIdentifier="RESPONSE" shuffle="true" maxChoices="1">
<prompt>{inline(question["question"])}</prompt>
{shown}
</choiceInteraction>
</itemBody>
{PROCESSING}{reasons}
</assessmentItem>
"""


def test(bank, chapters):
    """A test of all items, in a section for each chapter; its score is their sum."""
    sections = "".join(
        f'<assessmentSection identifier="{name}" visible="true" '
        f'title="{in_xml(chapters[name].title)}">\n'
        + "".join(
            f'<assessmentItemRef identifier="{q["id"]}" href="items/{q["id"]}.xml"/>\n'
            for q in questions
        )
        + "</assessmentSection>\n"
        for name, questions in by_chapter(bank).items()
    )
    return f"""{XML}<assessmentTest {QTI} identifier="vision-transformers"
  title="Vision Transformers">
<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float"/>
<testPart identifier="all" navigationMode="nonlinear" submissionMode="individual">
<itemSessionControl showFeedback="true"/>
{sections}</testPart>
<outcomeProcessing>
<setOutcomeValue identifier="SCORE"><sum><testVariables variableIdentifier="SCORE"/>
</sum></setOutcomeValue>
</outcomeProcessing>
</assessmentTest>
"""


def manifest(names):
    """The list of what is in the package: the test, and the items that it needs."""
    needed = "\n".join(f'<dependency identifierref="{name}"/>' for name in names)
    items = "\n".join(
        f'<resource identifier="{name}" type="imsqti_item_xmlv2p1" '
        f'href="items/{name}.xml"><file href="items/{name}.xml"/></resource>'
        for name in names
    )
    return f"""{XML}<manifest xmlns="{IMS}/imscp_v1p1" identifier="questions">
<metadata>
<schema>QTIv2.1 Package</schema><schemaversion>1.0.0</schemaversion>
</metadata>
<organizations/>
<resources>
<resource identifier="test" type="imsqti_test_xmlv2p1" href="test.xml">
<file href="test.xml"/>
{needed}
</resource>
{items}
</resources>
</manifest>
"""


def qti(bank, chapters):
    """Packs the bank as a content package of QTI 2.1: the bytes of a zip file."""
    names = [question["id"] for part in by_chapter(bank).values() for question in part]
    files = {"imsmanifest.xml": manifest(names), "test.xml": test(bank, chapters)}
    files |= {f"items/{question['id']}.xml": item(question) for question in bank}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, EPOCH)
            package.writestr(info, text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
