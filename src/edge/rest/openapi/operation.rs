//! One operation: what it takes, and everything it may answer.

use collabflow_protocol::error::ClientError;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, Header, HttpMethod, ObjectBuilder, Ref, RefOr, Required, Response,
        ResponseBuilder, Schema, SecurityRequirement, Type,
        path::{self, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::ArrayBuilder,
    },
};

use super::{BEARER, answer::Conflict};

const JSON: &str = "application/json";

/// A row of the description.
pub(super) struct Operation {
    pub(super) method: HttpMethod,
    /// Below the prefix, with its parameters in braces.
    pub(super) path: &'static str,
    /// Everything that is referred to, by its name.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    name: &'static str,
    is_open: bool,
    is_rest: bool,
    body: Option<Ref>,
    parameters: Vec<Parameter>,
    answers: Vec<(&'static str, Response)>,
}

impl Operation {
    /// An operation of REST, for who has a token.
    pub(super) fn new(method: HttpMethod, path: &'static str, name: &'static str) -> Self {
        let mut operation = Self {
            method,
            path,
            schemas: Vec::new(),
            name,
            is_open: false,
            is_rest: true,
            body: None,
            parameters: Vec::new(),
            answers: Vec::new(),
        };
        for segment in path.split('/') {
            if let Some(id) = segment.strip_prefix('{') {
                let id = id.trim_end_matches('}');
                operation = operation.parameter(id, ParameterIn::Path, id_schema());
            }
        }
        operation
    }

    /// For everybody.
    pub(super) const fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Beside REST: no token, and no errors but of its method.
    pub(super) const fn own(mut self) -> Self {
        (self.is_open, self.is_rest) = (true, false);
        self
    }

    /// With this body.
    pub(super) fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(self.name_of::<T>());
        self
    }

    pub(super) fn query(self, name: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        self.parameter(name, ParameterIn::Query, schema)
    }

    pub(super) fn header(self, name: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        self.parameter(name, ParameterIn::Header, schema)
    }

    fn parameter(
        mut self,
        name: &str,
        place: ParameterIn,
        schema: impl Into<RefOr<Schema>>,
    ) -> Self {
        let required = match place {
            ParameterIn::Path => Required::True,
            _ => Required::False,
        };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .schema(Some(schema));
        self.parameters.push(parameter.build());
        self
    }

    /// Answers with this.
    pub(super) fn gives<T: ToSchema>(mut self, status: &'static str) -> Self {
        let content = Content::new(Some(self.name_of::<T>()));
        self.answer(status, "Done", JSON, content)
    }

    /// Answers with an array of these.
    pub(super) fn lists<T: ToSchema>(mut self) -> Self {
        let array = ArrayBuilder::new().items(RefOr::<Schema>::from(self.name_of::<T>()));
        self.answer("200", "Done", JSON, Content::new(Some(array)))
    }

    /// Answers with text.
    pub(super) fn writes(self, kind: &str) -> Self {
        let text = ObjectBuilder::new().schema_type(Type::String);
        self.answer("200", "Done", kind, Content::new(Some(text)))
    }

    /// The good answer has this header too.
    pub(super) fn tells(mut self, header: &str) -> Self {
        let text = ObjectBuilder::new().schema_type(Type::String);
        if let Some((_, response)) = self.answers.last_mut() {
            response
                .headers
                .insert(header.to_owned(), RefOr::T(Header::new(text)));
        }
        self
    }

    /// May also fail so.
    pub(super) fn fails(mut self, status: &'static str, why: &str) -> Self {
        let content = Content::new(Some(self.name_of::<ClientError>()));
        self.answer(status, why, JSON, content)
    }

    /// May also find another version than was expected.
    pub(super) fn conflicts(mut self) -> Self {
        let content = Content::new(Some(self.name_of::<Conflict>()));
        self.answer("409", "Another version is stored", JSON, content)
    }

    fn answer(mut self, status: &'static str, what: &str, kind: &str, content: Content) -> Self {
        let response = ResponseBuilder::new()
            .description(what)
            .content(kind, content);
        self.answers.push((status, response.build()));
        self
    }

    fn name_of<T: ToSchema>(&mut self) -> Ref {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name())
    }

    pub(super) const fn method_name(&self) -> &'static str {
        match self.method {
            HttpMethod::Post => "POST",
            HttpMethod::Patch => "PATCH",
            HttpMethod::Delete => "DELETE",
            _ => "GET",
        }
    }

    /// The path as the table of routes has it.
    #[cfg(test)]
    pub(super) fn pattern(&self) -> String {
        let segment = |segment: &'static str| {
            if segment.starts_with('{') {
                ":"
            } else {
                segment
            }
        };
        self.path
            .split('/')
            .map(segment)
            .collect::<Vec<_>>()
            .join("/")
    }

    /// The errors that any operation of its kind may answer with.
    fn with_usual_errors(self) -> Self {
        let mut all = self.fails("405", "This address has other methods");
        if all.is_rest {
            all = all
                .fails(
                    "400",
                    "A field, an id or the body is bad; each bad field is named",
                )
                .fails("404", "Not there, or not to be seen by this user")
                .fails("429", "Too many requests")
                .fails("500", "A fault of the server")
                .fails("503", "A part that is needed is away");
        }
        if all.body.is_some() {
            all = all
                .fails("413", "The body is too large")
                .fails("415", "The body does not say that it is JSON");
        }
        if !all.is_open {
            all = all.fails("401", "No token, or one that is invalid or expired");
        }
        all
    }

    pub(super) fn describe(self) -> path::Operation {
        let all = self.with_usual_errors();
        let mut builder = OperationBuilder::new()
            .operation_id(Some(format!("{} {}", all.method_name(), all.path)))
            .summary(Some(all.name))
            .parameters(Some(all.parameters));
        if let Some(body) = all.body {
            let body = RequestBodyBuilder::new()
                .required(Some(Required::True))
                .content(JSON, Content::new(Some(body)));
            builder = builder.request_body(Some(body.build()));
        }
        if !all.is_open {
            builder = builder.security(SecurityRequirement::new(BEARER, [""; 0]));
        }
        all.answers
            .into_iter()
            .fold(builder, |builder, (status, response)| {
                builder.response(status, response)
            })
            .build()
    }
}

fn id_schema() -> RefOr<Schema> {
    collabflow_protocol::id::UserId::schema()
}
