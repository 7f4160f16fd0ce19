"""The engine's schema, as the client of the same version has it: read out of the source that Dagger generates.

Each of its methods selects one field: `self._select("withExec", _args)`, with `_args = [Arg("args", args), …]`. So what
this schema takes is what the engine of this version takes.
"""

import ast
import functools
import inspect
import types
import typing
from typing import Any

import graphql
from dagger.client import gen
from dagger.client._core import Context, Field
from dagger.client.base import Enum, Input, Scalar, Type
from gql.dsl import DSLQuery, DSLSchema, dsl_gql

_SCALARS = {str: graphql.GraphQLString, int: graphql.GraphQLInt, float: graphql.GraphQLFloat}


def refusals(context: Context) -> list[str]:
    """What the engine would say of a query, its arguments' own queries included; empty where it takes it."""
    fields = list(context.selections)
    found = [text for field in fields for value in field.args.values() for text in _inner(value)]
    ready = [
        Field(field.type_name, field.name, {key: _sent(value) for key, value in field.args.items()}) for field in fields
    ]
    try:
        last = _type_at_the_end(ready)
        ready += [Field(last.name, "id", {})] if graphql.is_composite_type(last) else []
        root = functools.reduce(lambda child, field: field.add_child(child), reversed(ready))
        document = dsl_gql(DSLQuery(root.to_dsl(DSLSchema(schema())))).document
        return found + [error.message for error in graphql.validate(schema(), document)]
    except (graphql.GraphQLError, AttributeError, TypeError, KeyError) as error:
        return [*found, f"{' → '.join(field.name for field in fields)}: {error}"]


def _inner(value: object) -> list[str]:
    several = value if isinstance(value, list) else [value]
    return [text for one in several if isinstance(one, Type) for text in refusals(one._ctx)]


def _sent(value: object) -> object:
    """Objects travel as their ids."""
    if isinstance(value, list):
        return [_sent(one) for one in value]
    return "an-id" if isinstance(value, Type) else value


def _type_at_the_end(fields: list[Field]) -> Any:
    last = schema().get_type(fields[-1].type_name)
    assert isinstance(last, graphql.GraphQLObjectType)
    return graphql.get_named_type(last.fields[fields[-1].name].type)


@functools.cache
def schema() -> graphql.GraphQLSchema:
    """The whole of it, read once."""
    return _Schema().whole()


class _Schema:
    def __init__(self) -> None:
        module = ast.parse(inspect.getsource(gen))
        self._classes = {one.name: one for one in module.body if isinstance(one, ast.ClassDef)}
        self._made: dict[type, Any] = {}

    def whole(self) -> graphql.GraphQLSchema:
        found = [vars(gen)[name] for name in self._classes]
        objects = [self.of(one) for one in found if issubclass(one, Type) and dict(self._fields(one))]
        return graphql.GraphQLSchema(query=self.of(gen.Query), types=objects)

    def of(self, kind: type) -> Any:
        """The type of the schema that a class of the client stands for; of an interface the one that it calls by."""
        kind = getattr(gen, f"_{kind.__name__}Client", kind)
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind: type) -> Any:
        if issubclass(kind, Enum):
            members: Any = kind
            values: dict[str, Any] = {one.value: one.value for one in members}
            return graphql.GraphQLEnumType(kind.__name__, values)
        if issubclass(kind, Input):
            hints = typing.get_type_hints(kind)
            return graphql.GraphQLInputObjectType(
                kind.__name__,
                lambda: {name: graphql.GraphQLInputField(self._hinted(hint)) for name, hint in hints.items()},
            )
        if issubclass(kind, Scalar):
            return graphql.GraphQLScalarType(kind.__name__)
        assert issubclass(kind, Type)
        return graphql.GraphQLObjectType(kind._graphql_name(), lambda: dict(self._fields(kind)))

    def _fields(self, kind: type) -> typing.Iterator[tuple[str, graphql.GraphQLField]]:
        for method in self._classes[kind.__name__].body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and (selected := _selected(method)):
                hints = {one.arg: one.annotation for one in [*method.args.args, *method.args.kwonlyargs]}
                given = {
                    argument: graphql.GraphQLArgument(self._written(hints[own], kind, required=not default))
                    for argument, own, default in _arguments(method)
                }
                returned = self._written(method.returns, kind, out=True)
                yield selected, graphql.GraphQLField(returned, args=given)

    def _written(self, note: ast.expr | None, kind: type, *, required: bool = False, out: bool = False) -> Any:
        hint: Any = ast.unparse(note) if note else "None"
        while isinstance(hint, str):  # an annotation may be text itself
            hint = eval(hint, vars(gen), {"Self": kind})
        found = self._hinted(hint, out=out)
        return found if out or required or not isinstance(found, graphql.GraphQLNonNull) else found.of_type

    def _hinted(self, hint: Any, *, out: bool = False) -> Any:
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        (plain,) = [one for one in options if one is not type(None)] or [str]  # Void is told as a string
        if typing.get_origin(plain) is list:
            (item,) = typing.get_args(plain)
            found: Any = graphql.GraphQLList(
                self._hinted(getattr(gen, item) if isinstance(item, str) else item, out=out)
            )
        elif plain is bool:
            found = graphql.GraphQLBoolean
        elif plain in _SCALARS:
            found = _SCALARS[plain]
        elif issubclass(plain, Type) and not out:
            found = graphql.GraphQLID
        else:
            found = self.of(plain)
        return found if type(None) in options else graphql.GraphQLNonNull(found)


def _selected(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The field that a method selects; empty for helpers of the client's own."""
    for call in ast.walk(method):
        match call:
            case ast.Call(func=ast.Attribute(attr="_select" | "_select_multiple"), args=[ast.Constant(value=name), *_]):
                return str(name)
    return ""


def _arguments(method: ast.FunctionDef | ast.AsyncFunctionDef) -> typing.Iterator[tuple[str, str, bool]]:
    """Each argument's name in the schema, its own in Python, and whether it may be left out."""
    defaults = {one.arg for one, given in zip(method.args.kwonlyargs, method.args.kw_defaults, strict=True) if given}
    for call in ast.walk(method):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Arg":
            name, value, *_ = call.args
            (own,) = {one.id for one in ast.walk(value) if isinstance(one, ast.Name)}
            assert isinstance(name, ast.Constant)
            yield str(name.value), own, own in defaults
