//! Tokens as a tree: the expressions.

use super::lexer::{Mistake, Token};
use super::parser::Parser;
use super::syntax::{Args, Comparison, Expr, Operator, Step};
use crate::source::declarative::value::Value;

/// Operands, arguments or steps in one row.
const LONGEST: usize = 10_000;

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expr, Mistake> {
        self.deeper(Self::choice)
    }

    /// One expression, or several with commas. `choices` says whether `a if b else c` may stand there.
    pub(super) fn tuple(&mut self, choices: bool, ends: &[&str]) -> Result<Expr, Mistake> {
        let mut items = Vec::new();
        let mut several = false;
        loop {
            let over =
                matches!(self.peek(), None | Some(Token::VariableEnd | Token::BlockEnd)) || self.is(")");
            if over || ends.iter().any(|end| self.is_name(end)) {
                break;
            }
            items.push(if choices { self.expression()? } else { self.deeper(Self::either)? });
            if !self.eat(",") {
                break;
            }
            several = true;
        }
        if several {
            return Ok(Expr::Tuple(items));
        }
        items.pop().map_or_else(|| self.fail(format!("expected an expression, got {}", self.shown())), Ok)
    }

    fn choice(&mut self) -> Result<Expr, Mistake> {
        let mut value = self.either()?;
        while self.eat_name("if") {
            let condition = self.either()?;
            let otherwise = if self.eat_name("else") { Some(self.deeper(Self::choice)?) } else { None };
            value = Expr::Choice(Box::new((condition, value, otherwise)));
        }
        Ok(value)
    }

    fn either(&mut self) -> Result<Expr, Mistake> {
        let mut operands = vec![self.both()?];
        while self.eat_name("or") {
            operands.push(self.both()?);
        }
        Ok(alone(operands, Expr::Or))
    }

    fn both(&mut self) -> Result<Expr, Mistake> {
        let mut operands = vec![self.negation()?];
        while self.eat_name("and") {
            operands.push(self.negation()?);
        }
        Ok(alone(operands, Expr::And))
    }

    fn negation(&mut self) -> Result<Expr, Mistake> {
        if self.eat_name("not") {
            return Ok(Expr::Not(Box::new(self.deeper(Self::negation)?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, Mistake> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = match self.peek() {
                Some(Token::Operator("==")) => Comparison::Eq,
                Some(Token::Operator("!=")) => Comparison::Ne,
                Some(Token::Operator("<")) => Comparison::Lt,
                Some(Token::Operator("<=")) => Comparison::Le,
                Some(Token::Operator(">")) => Comparison::Gt,
                Some(Token::Operator(">=")) => Comparison::Ge,
                Some(Token::Name(name)) if &**name == "in" => Comparison::In,
                Some(Token::Name(name)) if &**name == "not" && self.next_is_name("in") => {
                    self.at += 1;
                    Comparison::NotIn
                }
                _ => break,
            };
            self.at += 1;
            rest.push((comparison, self.sum()?));
            self.bound(rest.len())?;
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn bound(&self, length: usize) -> Result<(), Mistake> {
        if length > LONGEST { self.fail(format!("more than {LONGEST} parts in one row")) } else { Ok(()) }
    }

    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: fn(&mut Self) -> Result<Expr, Mistake>,
    ) -> Result<Expr, Mistake> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.is(text)) {
            self.at += 1;
            rest.push((*operator, operand(self)?));
            self.bound(rest.len())?;
        }
        Ok(if rest.is_empty() { first } else { Expr::Arithmetic(Box::new(first), rest) })
    }

    fn sum(&mut self) -> Result<Expr, Mistake> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Sub)], Self::concatenation)
    }

    fn concatenation(&mut self) -> Result<Expr, Mistake> {
        let mut operands = vec![self.product()?];
        while self.eat("~") {
            operands.push(self.product()?);
        }
        Ok(alone(operands, Expr::Concat))
    }

    fn product(&mut self) -> Result<Expr, Mistake> {
        let operators =
            [("*", Operator::Mul), ("/", Operator::Div), ("//", Operator::FloorDiv), ("%", Operator::Mod)];
        self.chain(&operators, Self::power)
    }

    fn power(&mut self) -> Result<Expr, Mistake> {
        self.chain(&[("**", Operator::Pow)], |parser| parser.unary(true))
    }

    fn unary(&mut self, filters: bool) -> Result<Expr, Mistake> {
        let inner = if self.eat("-") {
            Expr::Negative(Box::new(self.deeper(|parser| parser.unary(false))?))
        } else if self.eat("+") {
            Expr::Positive(Box::new(self.deeper(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        let mut steps = Vec::new();
        self.postfix(&mut steps)?;
        if filters {
            self.filtered(&mut steps)?;
        }
        Ok(if steps.is_empty() { inner } else { Expr::Chain(Box::new(inner), steps) })
    }

    fn primary(&mut self) -> Result<Expr, Mistake> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let expr = match &**name {
                    "true" | "True" => Expr::Const(Value::Bool(true)),
                    "false" | "False" => Expr::Const(Value::Bool(false)),
                    "none" | "None" => Expr::Const(Value::None),
                    _ => Expr::Name(name.clone()),
                };
                self.at += 1;
                Ok(expr)
            }
            Some(Token::Const(Value::Text(text))) => {
                let mut text = text.clone();
                self.at += 1;
                while let Some(Token::Const(Value::Text(more))) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Ok(Expr::Const(Value::Text(text)))
            }
            Some(Token::Const(value)) => {
                let value = value.clone();
                self.at += 1;
                Ok(Expr::Const(value))
            }
            Some(Token::Operator("(")) => {
                self.at += 1;
                if self.eat(")") {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let inner = self.deeper(|parser| parser.tuple(true, &[]))?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Operator("[")) => {
                self.at += 1;
                self.list()
            }
            Some(Token::Operator("{")) => {
                self.at += 1;
                self.dict()
            }
            _ => self.fail(format!("unexpected {}", self.shown())),
        }
    }

    fn list(&mut self) -> Result<Expr, Mistake> {
        let mut items = Vec::new();
        while !self.eat("]") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.eat("]") {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(Expr::List(items))
    }

    fn dict(&mut self) -> Result<Expr, Mistake> {
        let mut entries = Vec::new();
        while !self.eat("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.eat("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
        }
        Ok(Expr::Dict(entries))
    }

    fn postfix(&mut self, steps: &mut Vec<Step>) -> Result<(), Mistake> {
        loop {
            if self.eat(".") {
                let step = match self.peek() {
                    Some(Token::Name(name)) => Step::Attribute(name.clone()),
                    Some(Token::Const(value @ Value::Int(_))) => Step::Item(Expr::Const(value.clone())),
                    _ => return self.fail("expected a name or a number after the point"),
                };
                self.at += 1;
                if let (Step::Attribute(name), true) = (&step, self.is("(")) {
                    let name = name.clone();
                    steps.push(Step::Method(name, self.arguments()?));
                } else {
                    steps.push(step);
                }
            } else if self.eat("[") {
                let step = self.subscript()?;
                steps.push(step);
            } else if self.is("(") {
                steps.push(Step::Call(self.arguments()?));
            } else {
                return Ok(());
            }
            self.bound(steps.len())?;
        }
    }

    fn filtered(&mut self, steps: &mut Vec<Step>) -> Result<(), Mistake> {
        loop {
            if self.eat("|") {
                let name = self.dotted_name()?;
                let args = if self.is("(") { self.arguments()? } else { Args::default() };
                steps.push(Step::Filter(name, args));
            } else if self.eat_name("is") {
                let negated = self.eat_name("not");
                let name = self.dotted_name()?;
                let args = self.test_arguments()?;
                steps.push(Step::Test(name, args, negated));
            } else if self.is("(") {
                steps.push(Step::Call(self.arguments()?));
            } else {
                return Ok(());
            }
            self.bound(steps.len())?;
        }
    }

    pub(super) fn dotted_name(&mut self) -> Result<Box<str>, Mistake> {
        let mut name = self.name()?.into_string();
        while self.eat(".") {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name.into())
    }

    /// A test may have one argument without brackets.
    fn test_arguments(&mut self) -> Result<Args, Mistake> {
        if self.is("(") {
            return self.arguments();
        }
        let has_one = match self.peek() {
            Some(Token::Name(name)) if &**name == "is" => {
                return self.fail("tests can't be chained with \"is\"");
            }
            Some(Token::Name(name)) => !matches!(&**name, "else" | "or" | "and"),
            Some(Token::Const(_) | Token::Operator("[" | "{")) => true,
            _ => false,
        };
        let mut args = Args::default();
        if has_one {
            let inner = self.deeper(Self::primary)?;
            let mut steps = Vec::new();
            self.postfix(&mut steps)?;
            args.positional.push(if steps.is_empty() { inner } else { Expr::Chain(Box::new(inner), steps) });
        }
        Ok(args)
    }

    fn subscript(&mut self) -> Result<Step, Mistake> {
        let mut items = Vec::new();
        let mut slice = None;
        while !self.eat("]") {
            if !items.is_empty() || slice.is_some() {
                self.expect(",")?;
            }
            let start = if self.is(":") { None } else { Some(self.expression()?) };
            if !self.eat(":") {
                items.extend(start);
                continue;
            }
            let end = self.slice_part()?;
            let step = if self.eat(":") { self.slice_part()? } else { None };
            slice = Some(Box::new([start, end, step]));
        }
        match (slice, items.len()) {
            (Some(slice), 0) => Ok(Step::Slice(slice)),
            (Some(_), _) => self.fail("a slice can't be one of several subscripts"),
            (None, 1) => {
                items.pop().map_or_else(|| self.fail("expected a subscript"), |item| Ok(Step::Item(item)))
            }
            (None, _) => Ok(Step::Item(Expr::Tuple(items))),
        }
    }

    fn slice_part(&mut self) -> Result<Option<Expr>, Mistake> {
        if self.is(":") || self.is("]") || self.is(",") { Ok(None) } else { self.expression().map(Some) }
    }

    pub(super) fn arguments(&mut self) -> Result<Args, Mistake> {
        const MALFORMED: &str = "the arguments of a call are out of order";
        self.expect("(")?;
        let mut args = Args::default();
        let mut first = true;
        while !self.is(")") {
            if !first {
                self.expect(",")?;
                if self.is(")") {
                    break;
                }
            }
            first = false;
            if self.eat("*") {
                if args.rest.is_some() || args.named_rest.is_some() {
                    return self.fail(MALFORMED);
                }
                args.rest = Some(Box::new(self.expression()?));
            } else if self.eat("**") {
                if args.named_rest.is_some() {
                    return self.fail(MALFORMED);
                }
                args.named_rest = Some(Box::new(self.expression()?));
            } else if matches!(self.peek(), Some(Token::Name(_))) && self.next_is("=") {
                let name = self.name()?;
                self.at += 1;
                if args.named_rest.is_some() || args.named.iter().any(|(known, _)| *known == name) {
                    return self.fail(MALFORMED);
                }
                args.named.push((name, self.expression()?));
            } else {
                if args.rest.is_some() || args.named_rest.is_some() || !args.named.is_empty() {
                    return self.fail(MALFORMED);
                }
                args.positional.push(self.expression()?);
            }
        }
        self.expect(")")?;
        Ok(args)
    }
}

fn alone(mut operands: Vec<Expr>, several: fn(Vec<Expr>) -> Expr) -> Expr {
    match operands.pop() {
        Some(only) if operands.is_empty() => only,
        Some(last) => {
            operands.push(last);
            several(operands)
        }
        None => several(operands),
    }
}
