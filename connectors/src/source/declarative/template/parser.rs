//! Tokens as a tree: the statements.

use super::lexer::{Mistake, Token, tokens};
use super::syntax::{Args, Expr, For, Macro, Node, Target};

/// Statements and expressions inside of each other.
const DEPTH: usize = 80;

/// The name and the default of what a macro takes.
type Parameter = (Box<str>, Option<Expr>);

pub(super) struct Parser {
    tokens: Vec<(Token, usize)>,
    pub(super) at: usize,
    depth: usize,
}

/// The tree of a template.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Mistake> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    parser.nodes(&[])
}

impl Parser {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T, Mistake> {
        let line = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line);
        Err(Mistake { line, message: message.into() })
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Mistake>,
    ) -> Result<T, Mistake> {
        if self.depth >= DEPTH {
            return self.fail(format!("the template is nested deeper than {DEPTH} levels"));
        }
        self.depth += 1;
        let outcome = inner(self);
        self.depth -= 1;
        outcome
    }

    pub(super) fn is(&self, operator: &str) -> bool {
        matches!(self.peek(), Some(Token::Operator(found)) if *found == operator)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if &**found == name)
    }

    pub(super) fn next_is_name(&self, name: &str) -> bool {
        matches!(self.tokens.get(self.at + 1), Some((Token::Name(found), _)) if &**found == name)
    }

    pub(super) fn next_is(&self, operator: &str) -> bool {
        matches!(self.tokens.get(self.at + 1), Some((Token::Operator(found), _)) if *found == operator)
    }

    pub(super) fn eat(&mut self, operator: &str) -> bool {
        let found = self.is(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, operator: &str) -> Result<(), Mistake> {
        if self.eat(operator) {
            Ok(())
        } else {
            self.fail(format!("expected {operator:?}, got {}", self.shown()))
        }
    }

    pub(super) fn name(&mut self) -> Result<Box<str>, Mistake> {
        if let Some(Token::Name(name)) = self.peek() {
            let name = name.clone();
            self.at += 1;
            return Ok(name);
        }
        self.fail(format!("expected a name, got {}", self.shown()))
    }

    pub(super) fn shown(&self) -> String {
        match self.peek() {
            Some(Token::Name(name)) => format!("{name:?}"),
            Some(Token::Operator(operator)) => format!("{operator:?}"),
            Some(Token::Const(_)) => "a literal".to_owned(),
            Some(Token::VariableEnd) => "the end of the expression".to_owned(),
            Some(Token::BlockEnd) => "the end of the statement".to_owned(),
            Some(_) => "text".to_owned(),
            None => "the end of the template".to_owned(),
        }
    }

    fn block_end(&mut self) -> Result<(), Mistake> {
        if matches!(self.peek(), Some(Token::BlockEnd)) {
            self.at += 1;
            return Ok(());
        }
        self.fail(format!("expected the end of the statement, got {}", self.shown()))
    }

    /// Nodes up to a statement of one of the names `ends`, before whose name it stops.
    fn nodes(&mut self, ends: &[&str]) -> Result<Vec<Node>, Mistake> {
        let mut nodes = Vec::new();
        while let Some(token) = self.peek() {
            match token {
                Token::Data(data) => {
                    nodes.push(Node::Data(data.clone()));
                    self.at += 1;
                }
                Token::VariableBegin => {
                    self.at += 1;
                    nodes.push(Node::Print(self.tuple(true, &[])?));
                    if !matches!(self.peek(), Some(Token::VariableEnd)) {
                        return self
                            .fail(format!("expected the end of the expression, got {}", self.shown()));
                    }
                    self.at += 1;
                }
                Token::BlockBegin => {
                    self.at += 1;
                    if ends.iter().any(|end| self.is_name(end)) {
                        return Ok(nodes);
                    }
                    self.deeper(|parser| parser.statement(&mut nodes))?;
                    self.block_end()?;
                }
                _ => return self.fail(format!("unexpected {}", self.shown())),
            }
        }
        if ends.is_empty() {
            Ok(nodes)
        } else {
            self.fail(format!("the statement \"{}\" is missing", ends.join("\" or \"")))
        }
    }

    /// A body: after the statement's end, up to one of `ends`, whose name is left.
    fn body(&mut self, ends: &[&str]) -> Result<Vec<Node>, Mistake> {
        self.eat(":");
        self.block_end()?;
        self.nodes(ends)
    }

    /// A body up to the statement `end`, whose name is taken.
    fn body_to(&mut self, end: &str) -> Result<Vec<Node>, Mistake> {
        let body = self.body(&[end])?;
        self.at += 1;
        Ok(body)
    }

    fn statement(&mut self, nodes: &mut Vec<Node>) -> Result<(), Mistake> {
        let name = self.name()?;
        let node = match &*name {
            "set" => self.set()?,
            "if" => self.condition()?,
            "for" => self.repeat()?,
            "with" => self.with()?,
            "filter" => {
                let filters = self.filters(true)?;
                Node::Filter(filters, self.body_to("endfilter")?)
            }
            "macro" => {
                let name = self.name()?;
                let parameters = self.signature()?;
                let body = self.body_to("endmacro")?;
                Node::Macro(Box::new(finish_macro(name, parameters, body)))
            }
            "call" => self.call()?,
            "print" => return self.print(nodes),
            "block" => {
                let name = self.name()?;
                let _ = self.eat_name("scoped") | self.eat_name("required");
                let body = self.body_to("endblock")?;
                self.eat_name(&name);
                Node::Scope(body)
            }
            "autoescape" => {
                self.expression()?;
                Node::Scope(self.body_to("endautoescape")?)
            }
            "include" | "import" | "from" | "extends" => {
                return self
                    .fail(format!("the statement {name:?} needs other templates, which there are none of"));
            }
            _ => return self.fail(format!("the statement {name:?} is unknown or out of place")),
        };
        nodes.push(node);
        Ok(())
    }

    fn print(&mut self, nodes: &mut Vec<Node>) -> Result<(), Mistake> {
        while !matches!(self.peek(), Some(Token::BlockEnd)) {
            nodes.push(Node::Print(self.expression()?));
            if !matches!(self.peek(), Some(Token::BlockEnd)) {
                self.expect(",")?;
            }
        }
        Ok(())
    }

    fn set(&mut self) -> Result<Node, Mistake> {
        let target = self.target(&[], true)?;
        if self.eat("=") {
            return Ok(Node::Set(target, self.tuple(true, &[])?));
        }
        let filters = self.filters(false)?;
        Ok(Node::SetBlock(target, filters, self.body_to("endset")?))
    }

    /// Filters one after the other; the first one without its bar where `inline`.
    fn filters(&mut self, inline: bool) -> Result<Vec<(Box<str>, Args)>, Mistake> {
        let mut filters = Vec::new();
        while (inline && filters.is_empty()) || self.eat("|") {
            let name = self.dotted_name()?;
            let args = if self.is("(") { self.arguments()? } else { Args::default() };
            filters.push((name, args));
        }
        Ok(filters)
    }

    fn condition(&mut self) -> Result<Node, Mistake> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple(false, &[])?;
            let body = self.body(&["elif", "else", "endif"])?;
            branches.push((test, body));
            if self.eat_name("elif") {
                continue;
            }
            let otherwise = if self.eat_name("else") {
                self.body_to("endif")?
            } else {
                self.at += 1;
                Vec::new()
            };
            return Ok(Node::If(branches, otherwise));
        }
    }

    fn repeat(&mut self) -> Result<Node, Mistake> {
        let target = self.target(&["in"], false)?;
        if !self.eat_name("in") {
            return self.fail(format!("expected \"in\", got {}", self.shown()));
        }
        let over = self.tuple(false, &["recursive"])?;
        let test = if self.eat_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.eat_name("recursive");
        let body = self.body(&["endfor", "else"])?;
        let otherwise = if self.eat_name("else") {
            self.body_to("endfor")?
        } else {
            self.at += 1;
            Vec::new()
        };
        Ok(Node::For(Box::new(For { target, over, test, recursive, body, otherwise })))
    }

    fn with(&mut self) -> Result<Node, Mistake> {
        let mut values = Vec::new();
        while !matches!(self.peek(), Some(Token::BlockEnd)) {
            if !values.is_empty() {
                self.expect(",")?;
            }
            let target = self.target(&[], false)?;
            self.expect("=")?;
            values.push((target, self.expression()?));
        }
        Ok(Node::With(values, self.body_to("endwith")?))
    }

    fn call(&mut self) -> Result<Node, Mistake> {
        let parameters = if self.is("(") { self.signature()? } else { Vec::new() };
        let call = self.expression()?;
        let body = self.body_to("endcall")?;
        Ok(Node::Call(call, Box::new(finish_macro("caller".into(), parameters, body))))
    }

    fn signature(&mut self) -> Result<Vec<Parameter>, Mistake> {
        self.expect("(")?;
        let mut parameters: Vec<Parameter> = Vec::new();
        while !self.is(")") {
            if !parameters.is_empty() {
                self.expect(",")?;
            }
            let name = self.name()?;
            let default = if self.eat("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|(_, default)| default.is_some()) {
                return self.fail("a parameter without default follows one with a default");
            }
            parameters.push((name, default));
        }
        self.expect(")")?;
        Ok(parameters)
    }

    /// What is assigned to.
    fn target(&mut self, ends: &[&str], namespaces: bool) -> Result<Target, Mistake> {
        let mut targets = Vec::new();
        let mut several = false;
        loop {
            if ends.iter().any(|end| self.is_name(end)) || self.is(")") || (several && self.is("=")) {
                break;
            }
            targets.push(self.one_target(namespaces)?);
            if !self.eat(",") {
                break;
            }
            several = true;
        }
        if !several && targets.len() == 1 {
            return targets.pop().map_or_else(|| self.fail("expected a name"), Ok);
        }
        Ok(Target::Several(targets))
    }

    fn one_target(&mut self, namespaces: bool) -> Result<Target, Mistake> {
        if self.eat("(") {
            let target = self.deeper(|parser| parser.target(&[], namespaces))?;
            self.expect(")")?;
            return Ok(target);
        }
        let name = self.name()?;
        if matches!(&*name, "true" | "false" | "True" | "False" | "none" | "None") {
            return self.fail(format!("can't assign to {name:?}"));
        }
        if namespaces && self.eat(".") {
            return Ok(Target::Attribute(name, self.name()?));
        }
        Ok(Target::Name(name))
    }
}

fn finish_macro(name: Box<str>, parameters: Vec<Parameter>, body: Vec<Node>) -> Macro {
    let mentioned = |name: &str| super::scope::mentions(&body, name);
    let (catches_rest, catches_named, catches_caller) =
        (mentioned("varargs"), mentioned("kwargs"), mentioned("caller"));
    Macro { name, parameters, body, catches_rest, catches_named, catches_caller }
}
