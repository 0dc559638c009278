"""Work that moto repeats at every request, done once: it shares a machine with what is measured against it."""

from __future__ import annotations

import functools
import gc
import pickle
import time
from abc import ABCMeta
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import moto.backends
import moto.core.responses
import moto.core.utils
import moto.dynamodb.parsing.ast_nodes as ast_nodes
import moto.dynamodb.parsing.expressions as expressions
import moto.sqs.models
from botocore.model import Shape
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.parsing.validators import (
    ActionCountValidator,
    OverlappingPathsValidator,
    UpdateExpressionValidator,
    UpdateHashRangeKeyValidator,
    Validator,
)

from standins.aws.gaps.extend import define, wrap

#: Expressions that are remembered: programs have tens, tests hundreds.
EXPRESSIONS = 1024

# They have no types.
_UpdateExpressionParser: type[Any] = vars(expressions)["UpdateExpressionParser"]
_Node: Any = vars(ast_nodes)["Node"]
_Traverser: Any = vars(ast_nodes)["DepthFirstTraverser"]
_UpdateExpression: type[Any] = vars(ast_nodes)["UpdateExpression"]


class Pace:
    """moto lists its own folder and a class's methods per request, and makes two dates to know the time.

    A queue looks at the time several times per message: a receive from 300 waiting ones took 25 ms.
    """

    def install(self) -> None:
        """Extends moto."""
        modules = tuple(moto.backends.list_of_moto_modules())
        vars(moto.backends).update(list_of_moto_modules=lambda: modules)
        vars(moto.sqs.models).update(unix_time_millis=_unix_time_millis)
        methods = functools.cache(moto.core.utils.method_names_from_class)
        vars(moto.core.responses).update(method_names_from_class=methods)
        Expressions().install()
        Answers().install()
        gc.freeze()
        gc.callbacks.append(_spare_survivors)


class Expressions:
    """moto reads an expression's text anew twice per request, and looks at its tree ten times, a class check a node.

    A conditional update took 3.5 ms, and takes 1.2 ms. What a text means is remembered by the text alone: names and
    values are put in later, into a copy. What refuses an expression is never remembered.
    """

    def __init__(self) -> None:
        self._pickled: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()
        self._sound: WeakKeyDictionary[Any, set[Any]] = WeakKeyDictionary()

    def install(self) -> None:
        """Extends moto."""
        for kind in _family(_Node):
            kind.__class__ = _Plain
        make = functools.lru_cache(EXPRESSIONS)(_UpdateExpressionParser.make)
        define(_UpdateExpressionParser, "make", staticmethod(make))
        define(_UpdateExpression, "__deepcopy__", lambda expression, _memo: self._copy(expression))
        define(_Traverser, "traverse", _traverse)
        self._remember_tokens()
        self._remember_sound_ones()

    def _copy(self, expression: Any) -> Any:
        pickled = self._pickled.get(expression)
        if pickled is None:
            pickled = self._pickled[expression] = pickle.dumps(expression)
        return pickle.loads(pickled)  # noqa: S301 (pickled a moment ago, above)

    def _remember_tokens(self) -> None:
        @wrap(ConditionExpressionParser, "_lex_condition_expression")
        def lex(original: Callable[..., deque[Any]], parser: ConditionExpressionParser) -> deque[Any]:
            tokens = known.get(parser.condition_expression)
            if tokens is None:
                tokens = tuple(original(parser))
                if len(known) < EXPRESSIONS:
                    known[parser.condition_expression] = tokens
            return deque(tokens)

        known: dict[str | None, tuple[Any, ...]] = {}

    def _remember_sound_ones(self) -> None:
        """Some validators look at nothing but the expression, its names and the table's keys: once is enough."""
        once = (ActionCountValidator, OverlappingPathsValidator, UpdateHashRangeKeyValidator)

        @wrap(Validator, "__init__")
        def init(
            original: Callable[..., None], validator: Validator, expression: Any, *more: Any, **named: Any
        ) -> None:
            original(validator, expression, *more, **named)
            vars(validator).update(expression=expression)

        @wrap(UpdateExpressionValidator, "validate")
        def validate(original: Callable[..., Any], validator: UpdateExpressionValidator) -> Any:
            sound = self._sound.setdefault(vars(validator)["expression"], set())
            names = frozenset((validator.expression_attribute_names or {}).items())
            case = (names, tuple(validator.table.table_key_attrs))
            if case in sound:
                validator.processors = [each for each in validator.processors if not isinstance(each, once)]
            validated = original(validator)
            if len(sound) < EXPRESSIONS:
                sound.add(case)
            return validated


class Answers:
    """moto looks for each member of an answer under each name that the member may have in a Python object.

    A dict's members have names that follow from the member alone.
    """

    def install(self) -> None:
        """Extends moto."""

        @wrap(XFormedAttributePicker, "get_possible_keys")
        def get_possible_keys(
            original: Callable[..., Iterator[str]], picker: XFormedAttributePicker, context: AttributePickerContext
        ) -> Iterator[str] | tuple[str, ...]:
            if type(context.obj) is not dict:
                return original(picker, context)
            case = (context.key, getattr(context.shape, "parent", None))
            known_case, names = known.get(context.shape, (None, ()))
            if known_case != case:
                names = tuple(dict.fromkeys(original(picker, context)))
                known[context.shape] = (case, names)
            return names

        known: WeakKeyDictionary[Shape, tuple[Any, tuple[str, ...]]] = WeakKeyDictionary()


def _spare_survivors(phase: str, info: dict[str, int]) -> None:
    """Takes what has survived a full collection out of the next: the services' models, which stay for good.

    Of a quarter of a million objects each collection took 230 ms, in which nobody was answered.
    """
    if phase == "stop" and info["generation"] == 2:
        gc.freeze()


def _unix_time_millis(moment: datetime | None = None) -> float:
    return time.time() * 1000 if moment is None else float(moto.core.utils.unix_time(moment)) * 1000


_kinds_below = functools.cache(lambda kind: frozenset(_family(kind)))


def _traverse(traverser: Any, root: Any) -> Any:
    """DepthFirstTraverser.traverse, which asks for the processing map once instead of at every node."""
    processors: dict[type, Callable[[Any], Any]] = {}
    for kind, processor in traverser._processing_map().items():
        for each in _kinds_below(kind):
            processors.setdefault(each, processor)
    looks_at_children = type(traverser).pre_processing_of_child is not _Traverser.pre_processing_of_child
    nodes = _kinds_below(_Node)

    def visit(node: Any, child_id: int) -> Any:
        parent = node.parent
        for index, child in enumerate(node.children or ()):
            if looks_at_children:
                traverser.pre_processing_of_child(node, index)
            if type(child) in nodes:
                visit(child, index)
        processor = processors.get(type(node))
        if processor is not None:
            node = processor(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
        return node

    return visit(root, -1)


class _Plain(ABCMeta):
    """An abstract class without virtual subclasses: those that an expression is made of have none."""

    __instancecheck__ = type.__instancecheck__


def _family(kind: type) -> Iterator[type]:
    yield kind
    children: list[type] = kind.__subclasses__()
    for child in children:
        yield from _family(child)
