//! A template as a tree. Chains (sums, comparisons, attributes, filters) are lists, so that long ones are not deep.

use crate::source::declarative::value::Value;

/// An expression.
#[derive(Debug)]
pub(super) enum Expr {
    Const(Value),
    Name(Box<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    /// The first operand and then operators with theirs, from left to right.
    Arithmetic(Box<Expr>, Vec<(Operator, Expr)>),
    /// Compared each with the next, all of which must hold.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// `~`.
    Concat(Vec<Expr>),
    /// Condition, then, else.
    Choice(Box<(Expr, Expr, Option<Expr>)>),
    /// What is done to a value, one step after the other.
    Chain(Box<Expr>, Vec<Step>),
}

#[derive(Debug)]
pub(super) enum Step {
    Attribute(Box<str>),
    Item(Expr),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Args),
    /// An attribute that is called at once.
    Method(Box<str>, Args),
    Filter(Box<str>, Args),
    /// The test and whether it must fail.
    Test(Box<str>, Args, bool),
}

#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(Box<str>, Expr)>,
    pub(super) rest: Option<Box<Expr>>,
    pub(super) named_rest: Option<Box<Expr>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

/// What an assignment gives a value to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Box<str>),
    /// An attribute of a namespace.
    Attribute(Box<str>, Box<str>),
    Several(Vec<Target>),
}

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    Data(Box<str>),
    Print(Expr),
    Set(Target, Expr),
    SetBlock(Target, Vec<(Box<str>, Args)>, Vec<Node>),
    /// Conditions with their bodies, and the last body.
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    For(Box<For>),
    With(Vec<(Target, Expr)>, Vec<Node>),
    Filter(Vec<(Box<str>, Args)>, Vec<Node>),
    Macro(Box<Macro>),
    /// The call, and what it may call back.
    Call(Expr, Box<Macro>),
    /// A block of one's own scope.
    Scope(Vec<Node>),
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) over: Expr,
    pub(super) test: Option<Expr>,
    pub(super) recursive: bool,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Box<str>,
    pub(super) parameters: Vec<(Box<str>, Option<Expr>)>,
    pub(super) body: Vec<Node>,
    pub(super) catches_rest: bool,
    pub(super) catches_named: bool,
    pub(super) catches_caller: bool,
}
