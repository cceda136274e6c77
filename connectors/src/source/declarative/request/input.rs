//! The parameters, headers and bodies of a requester, as templates and evaluated.

use protocol::{Error, Result};

use super::parts::{Data, Parts};
use super::url::python_text;
use crate::source::declarative::component::Component;
use crate::source::declarative::template::{Context, MappingTemplate, NestedTemplate, TextTemplate, Types};
use crate::source::declarative::value::{Map, Value};

/// What a requester itself puts into a request.
pub(super) struct Inputs {
    params: Input,
    headers: Input,
    data: Input,
    json: Json,
    /// The parameter that takes the names of `QueryProperties`.
    properties_key: Option<String>,
}

enum Input {
    None,
    Mapping(MappingTemplate),
    Text(TextTemplate),
}

enum Json {
    None,
    Nested(NestedTemplate),
    Text(TextTemplate),
}

impl Inputs {
    pub(super) fn build(component: &Component<'_>) -> Result<Self> {
        let (mut data, mut json) =
            (component.value("request_body_data"), component.value("request_body_json"));
        if let Some(body) = component.child("request_body")? {
            let value = body.required_value("value")?;
            match body.kind() {
                "RequestBodyUrlEncodedForm" | "RequestBodyPlainText" => data = Some(value),
                "RequestBodyGraphQL" | "RequestBodyJsonObject" => json = Some(value),
                _ => return Err(body.unknown("body of a request")),
            }
        }
        if data.is_some_and(Value::is_true) && json.is_some_and(Value::is_true) {
            return Err(component.fail("a request can't have both a body of data and one of JSON"));
        }
        let (params, properties_key) = without_properties(component)?;
        let at = |result: Result<Input>| {
            result.map_err(|error| error.context("component", component.place().to_owned()))
        };
        Ok(Self {
            params: at(Input::build(params.as_ref()))?,
            headers: at(Input::build(component.value("request_headers")))?,
            data: at(Input::build(data))?,
            json: Json::build(json).map_err(|e| e.context("component", component.place().to_owned()))?,
            properties_key,
        })
    }

    /// What they evaluate to.
    pub(super) fn eval<'a>(&'a self, context: &'a Context<'a>, properties: Option<&Value>) -> Result<Parts> {
        let literals = Types::TEXT | Types::LIST;
        // A text is sent as parameters only where it evaluates to an object.
        let mut params = match self.params.eval(context, literals)? {
            Value::None | Value::Text(_) => Map::new(),
            value => fields(value),
        };
        if let Some(key) = &self.properties_key {
            params.insert(key.as_str(), joined(properties)?);
        }
        let headers = match self.headers.eval(context, Types::ANY)? {
            Value::None => Map::new(),
            Value::Text(text) if text.is_empty() => Map::new(),
            Value::Text(_) => return Err(Error::config("the headers of a request can't be a text")),
            value => fields(value),
        };
        let data = match self.data.eval(context, literals)? {
            Value::Text(text) if !text.is_empty() => Data::Text(text),
            Value::None | Value::Text(_) => Data::default(),
            value => Data::Form(fields(value)),
        };
        let json = match self.json.eval(context)? {
            Value::None => Map::new(),
            Value::Text(text) if text.is_empty() => Map::new(),
            Value::Text(_) => return Err(Error::config("the JSON body of a request can't be a text")),
            value => fields(value),
        };
        Ok(Parts { params, headers, data, json })
    }
}

impl Input {
    fn build(value: Option<&Value>) -> Result<Self> {
        match value {
            None => Ok(Self::None),
            Some(Value::Text(text)) if text.is_empty() => Ok(Self::None),
            Some(Value::Text(text)) => TextTemplate::compile(text).map(Self::Text),
            Some(value) if !value.is_true() => Ok(Self::None),
            Some(value) => MappingTemplate::compile(value).map(Self::Mapping),
        }
    }

    fn eval<'a>(&'a self, context: &'a Context<'a>, types: Types) -> Result<Value> {
        match self {
            Self::None => Ok(Value::None),
            Self::Mapping(mapping) => mapping.eval(context, types),
            Self::Text(text) => text.eval(context),
        }
    }
}

impl Json {
    fn build(value: Option<&Value>) -> Result<Self> {
        match value {
            None => Ok(Self::None),
            Some(Value::Text(text)) if text.is_empty() => Ok(Self::None),
            Some(Value::Text(text)) => TextTemplate::compile(text).map(Self::Text),
            Some(value) if !value.is_true() => Ok(Self::None),
            Some(value) => NestedTemplate::compile(value).map(Self::Nested),
        }
    }

    fn eval<'a>(&'a self, context: &'a Context<'a>) -> Result<Value> {
        match self {
            Self::None => Ok(Value::None),
            Self::Nested(nested) => nested.eval(context),
            Self::Text(text) => text.eval(context),
        }
    }
}

/// The parameters without a `QueryProperties` among them, and the name of that.
fn without_properties(component: &Component<'_>) -> Result<(Option<Value>, Option<String>)> {
    let Some(params) = component.value("request_parameters") else { return Ok((None, None)) };
    let Some(map) = params.as_map() else { return Ok((Some(params.clone()), None)) };
    let is_properties = |value: &Value| value.get("type").and_then(Value::as_text) == Some("QueryProperties");
    let mut keys = map.iter().filter(|(_, value)| is_properties(value)).map(|(key, _)| key.to_owned());
    let key = keys.next();
    if keys.next().is_some() {
        return Err(component.fail("only one parameter can be a `QueryProperties`"));
    }
    if key.is_none() {
        return Ok((Some(params.clone()), None));
    }
    let rest: Map = map
        .iter()
        .filter(|(_, value)| !is_properties(value))
        .map(|(key, value)| (key, value.clone()))
        .collect();
    Ok((Some(rest.into()), key))
}

/// The fields of an object without those that are `None`; nothing where it is none.
fn fields(value: Value) -> Map {
    match value {
        Value::Map(map) => map.into_iter().filter(|(_, value)| !value.is_none()).collect(),
        Value::Dict(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_none())
            .map(|(key, value)| (python_text(&key), value))
            .collect(),
        _ => Map::new(),
    }
}

/// The names of properties as one parameter.
fn joined(properties: Option<&Value>) -> Result<Value> {
    let names = properties
        .and_then(Value::as_list)
        .ok_or_else(|| Error::config("a request asks for query properties where there are none"))?;
    Ok(Value::Text(names.iter().map(python_text).collect::<Vec<_>>().join(",")))
}
