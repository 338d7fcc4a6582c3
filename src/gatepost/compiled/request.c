/* The call of a middleware: a coroutine, as that of an `async def`, from the way in to the end of the app.

   new ──send──> hit: the app runs ──returns──────────────> over
    │  │           └───raises, streamed, within another──> other: Python's `finish` runs ──> over
    │  └─limits are asked──> asking ──let in──> hit
    │                          └──────refused, or changed meanwhile──> other: Python's `deny` runs ──> over
    └──not mine──────────────────────────────────────────> other: Python's `__call__` runs ──> over */

#include "hit.h"
#include <structmember.h>

typedef struct {
    PyObject_HEAD
    enum { NEW, ASKING, HIT, OTHER, OVER } state;
    char runs;
    LetIn *let_in;
    PyObject *function; /* Python's `__call__` */
    PyObject *middleware, *scope, *receive, *send;
    PyObject *inner;    /* the iterator that is awaited: the app's, or Python's */
    Served *served;
    PyObject *outer;    /* the request that was being served where this one began */
    PyObject *digest;   /* of the secret, and its key, while limits are asked */
    PyObject *key;
    Use use;            /* how it is counted, until it is */
    PyObject *weak;     /* references to this that do not keep it */
} Request;

#define ALL_OF(self, do) \
    do(self->let_in) do(self->function) do(self->middleware) do(self->scope) do(self->receive) do(self->send) \
    do(self->inner) do(self->served) do(self->outer) do(self->digest) do(self->key) do(self->use.tally) \
    do(self->use.key)
#define CLEAR(held) Py_CLEAR(held);
#define VISIT(held) Py_VISIT(held);

static void
request_empty(Request *self)
{
    ALL_OF(self, CLEAR)
}

static void
end(Request *self)
{
    self->state = OVER;
    request_empty(self);
}

/* Python goes on with the request: its `__call__` from the beginning. 0, or -1 with an error. */
static int
begin_other(Request *self)
{
    PyObject *args[] = {self->middleware, self->scope, self->receive, self->send};
    self->state = OTHER;
    self->inner = iterator_of(PyObject_Vectorcall(self->function, args, 4, NULL));
    return self->inner == NULL ? -1 : 0;
}

/* Let the request in, and begin the app. `limits`: what is left of the key's, or NULL. 0, or -1 with an error. */
static int
begin_app(Request *self, Found *found, PyObject *limits)
{
    self->served = let_in(self->let_in, self->middleware, self->scope, self->send, found, limits, &self->outer,
                          &self->use);
    if (self->served == NULL) {
        return -1;
    }
    self->state = HIT;
    PyObject *send = self->served->watched == NULL ? self->send : (PyObject *)self->served;
    PyObject *args[] = {self->scope, self->receive, send};
    Py_XSETREF(self->inner, iterator_of(PyObject_Vectorcall(self->let_in->app, args, 3, NULL)));
    return self->inner == NULL ? -1 : 0;
}

/* Take from the key's limits: the request is let in, or there is something to wait for. 0, or -1 with an error. */
static int
begin_asking(Request *self, Found *found)
{
    PyObject *args[] = {found->key, self->scope};
    PyObject *asked = PyObject_Vectorcall(self->let_in->ask, args, 2, NULL);
    if (asked != NULL && (PyObject *)Py_TYPE(asked) == self->let_in->limits) {
        int begun = begin_app(self, found, asked);
        Py_DECREF(asked);
        return begun;
    }
    self->state = ASKING;
    self->digest = Py_NewRef(found->digest);
    self->key = Py_NewRef(found->key);
    self->inner = iterator_of(asked);
    return self->inner == NULL ? -1 : 0;
}

/* Let the request in, or have its limits asked, or Python judge it. 0, or -1 with an error. */
static int
begin(Request *self)
{
    Found found = {0};
    int is_found = find_key(self->let_in, self->middleware, self->scope, &found);
    if (is_found <= 0) {
        return is_found < 0 ? -1 : begin_other(self);
    }
    self->use.began = found.now;
    int begun = is_limited(self->let_in, found.key) ? begin_asking(self, &found) : begin_app(self, &found, NULL);
    found_empty(&found);
    return begun;
}

/* The limits have answered. The app begins, if memory would let the same secret in now: it has waited, and who has
   switched the key off meanwhile may have been told that nobody lets it in any more. Else Python goes on. 0, or -1 with
   an error. */
static int
asked(Request *self, PyObject *answer)
{
    int begun;
    if ((PyObject *)Py_TYPE(answer) == self->let_in->limits) {
        Found found = {0};
        int is_found = find_key(self->let_in, self->middleware, self->scope, &found);
        if (is_found < 0) { /* Python gives back what was taken, asks the same, and fails as it would have */
            PyErr_Clear();
        }
        if (is_found > 0 && is_limited(self->let_in, found.key)
            && PyObject_RichCompareBool(found.digest, self->digest, Py_EQ) == 1) {
            begun = begin_app(self, &found, answer);
            found_empty(&found);
            return begun;
        }
        found_empty(&found);
    }
    PyObject *began = PyFloat_FromDouble(self->use.began);
    if (began == NULL) {
        return -1;
    }
    PyObject *args[] = {answer, self->key, self->digest, self->scope, self->receive, self->send, began};
    self->state = OTHER;
    Py_XSETREF(self->inner, iterator_of(PyObject_Vectorcall(self->let_in->deny, args, 7, NULL)));
    Py_DECREF(began);
    return self->inner == NULL ? -1 : 0;
}

/* The app is done: count the request. */
static void
count(Request *self)
{
    PyObject *tally = self->use.tally;
    self->use.tally = NULL;
    if (tally != NULL) {
        PyObject *digest = Py_XNewRef(self->served->items[DIGEST]);
        if (digest != NULL) {
            count_request(self->let_in, tally, self->use.key, digest, self->scope, self->use.began);
            Py_DECREF(digest);
        }
        Py_DECREF(tally);
    }
}

/* Whether the request's limits have an end, as where it holds a slot; -1 with an error. */
static int
limits_end(Request *self)
{
    PyObject *end = PyObject_GetAttr(self->served->limits, word.has_end);
    int has_end = end == NULL ? -1 : PyObject_IsTrue(end);
    Py_XDECREF(end);
    return has_end;
}

/* The app is done. Answers whether there is more to do, which Python does: then that is what runs now. -1: an error. */
static int
finish(Request *self)
{
    PyObject *raised = NULL, *limits = Py_XNewRef(self->served->limits);
    count(self);
    if (PyErr_Occurred()) {
        PyObject *type, *traceback;
        PyErr_Fetch(&type, &raised, &traceback);
        PyErr_NormalizeException(&type, &raised, &traceback);
        if (traceback != NULL) {
            PyException_SetTraceback(raised, traceback);
        }
        Py_XDECREF(type);
        Py_XDECREF(traceback);
    }
    int ends_later = limits == NULL ? 0 : limits_end(self);
    if (ends_later < 0) {
        goto failed;
    }
    if (raised == NULL && !ends_later && self->served->items[STREAM] == Py_None
        && (self->outer == Py_None || PyObject_Not(self->outer) == 1)) {
        served_empty(self->served);
        Py_XDECREF(limits);
        return 0;
    }
    PyObject *args[] = {(PyObject *)self->served, self->outer, raised == NULL ? Py_None : raised, limits};
    PyObject *finish = ends_later ? self->let_in->ended : self->let_in->finish;
    self->state = OTHER;
    Py_XSETREF(self->inner, iterator_of(PyObject_Vectorcall(finish, args, ends_later ? 4 : 3, NULL)));
    Py_XDECREF(raised);
    Py_XDECREF(limits);
    return self->inner == NULL ? -1 : 1;
failed:
    self->state = OTHER; /* what the app raised is forgotten for this error, which `go_on` must not ask about again */
    Py_XDECREF(raised);
    Py_XDECREF(limits);
    return -1;
}

/* After a step: `status` is what `inner` did with it. */
static PySendResult
go_on(Request *self, PySendResult status, PyObject **result)
{
    while ((status != PYGEN_NEXT && self->state == HIT) || (status == PYGEN_RETURN && self->state == ASKING)) {
        if (self->state == ASKING) {
            int begun = asked(self, *result);
            Py_CLEAR(*result);
            status = begun == 0 ? PyIter_Send(self->inner, Py_None, result) : PYGEN_ERROR;
            continue;
        }
        if (status == PYGEN_RETURN) {
            Py_CLEAR(*result);
        }
        int more = finish(self);
        if (more <= 0) {
            status = more == 0 ? PYGEN_RETURN : PYGEN_ERROR;
            break;
        }
        status = PyIter_Send(self->inner, Py_None, result);
    }
    if (status == PYGEN_ERROR && self->state == ASKING) {
        strip_failed(self->let_in, self->scope);
    }
    self->runs = 0;
    if (status == PYGEN_RETURN) {
        Py_XSETREF(*result, Py_NewRef(Py_None));
    }
    if (status != PYGEN_NEXT) {
        end(self);
    }
    return status;
}

/* Whether it may take a step; else an error is set. */
static int
may_run(Request *self)
{
    if (self->runs) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    } else if (self->state == OVER) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    } else {
        return 1;
    }
    return 0;
}

static PySendResult
request_am_send(PyObject *object, PyObject *value, PyObject **result)
{
    Request *self = (Request *)object;
    *result = NULL;
    if (!may_run(self)) {
        return PYGEN_ERROR;
    }
    if (self->state == NEW) {
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
            return PYGEN_ERROR;
        }
        self->runs = 1;
        if (begin(self) != 0) {
            return go_on(self, PYGEN_ERROR, result);
        }
    }
    self->runs = 1;
    return go_on(self, PyIter_Send(self->inner, value, result), result);
}

/* What a method answers for a step. */
static PyObject *
answer(PySendResult status, PyObject *result)
{
    if (status == PYGEN_RETURN) {
        Py_DECREF(result);
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    }
    return result;
}

static PyObject *
request_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult status = request_am_send(self, value, &result);
    return answer(status, result);
}

static PyObject *
request_next(PyObject *self)
{
    return request_send(self, Py_None);
}

/* Have `inner` end, and then be told of GeneratorExit what the app would be. */
static PySendResult
close_inner(Request *self)
{
    PyObject *close = PyObject_GetAttr(self->inner, word.close);
    if (close == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return PYGEN_ERROR;
        }
        PyErr_Clear();
    } else {
        PyObject *closed = PyObject_CallNoArgs(close);
        Py_DECREF(close);
        if (closed == NULL) {
            return PYGEN_ERROR;
        }
        Py_DECREF(closed);
    }
    PyErr_SetNone(PyExc_GeneratorExit);
    return PYGEN_ERROR;
}

/* `inner` has ended by the StopIteration that is set, or by none: its value; else it has failed. */
static PySendResult
returned(PyObject **result)
{
    PyObject *type, *value, *traceback;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    *result = value == NULL ? Py_NewRef(Py_None) : PyObject_GetAttr(value, word.value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

/* Raise in `inner` what `throw` was given. */
static PySendResult
throw_inner(Request *self, PyObject *const *args, Py_ssize_t count, PyObject **result)
{
    PyObject *throw = PyObject_GetAttr(self->inner, word.throw);
    if (throw == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
            if (PyExceptionInstance_Check(args[0])) {
                PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
            } else {
                PyErr_SetObject(args[0], count > 1 ? args[1] : NULL);
            }
        }
        return PYGEN_ERROR;
    }
    *result = PyObject_Vectorcall(throw, args, (size_t)count, NULL);
    Py_DECREF(throw);
    if (*result != NULL) {
        return PYGEN_NEXT;
    }
    return returned(result);
}

static PyObject *
request_throw(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Request *self = (Request *)object;
    PyObject *result = NULL;
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw takes an exception");
        return NULL;
    }
    if (!may_run(self)) {
        return NULL;
    }
    PySendResult status = PYGEN_ERROR;
    self->runs = 1;
    if (self->state != NEW || begin_other(self) == 0) { /* a new one of Python's raises where it begins */
        if (self->state == HIT && PyErr_GivenExceptionMatches(args[0], PyExc_GeneratorExit)) {
            status = close_inner(self);
        } else {
            status = throw_inner(self, args, count, &result);
        }
    }
    status = go_on(self, status, &result);
    return answer(status, result);
}

static PyObject *
request_close(PyObject *object, PyObject *Py_UNUSED(none))
{
    Request *self = (Request *)object;
    if (self->state == OVER) {
        Py_RETURN_NONE;
    }
    if (self->state == NEW && !self->runs) {
        end(self);
        Py_RETURN_NONE;
    }
    PyObject *yielded = request_throw(object, &PyExc_GeneratorExit, 1);
    if (yielded != NULL) {
        Py_DECREF(yielded);
        PyErr_SetString(PyExc_RuntimeError, "coroutine ignored GeneratorExit");
        return NULL;
    }
    if (!PyErr_ExceptionMatches(PyExc_GeneratorExit) && !PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return NULL;
    }
    PyErr_Clear();
    Py_RETURN_NONE;
}

static void
request_finalize(PyObject *object)
{
    Request *self = (Request *)object;
    if (self->state == OVER) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (self->state == NEW) {
        if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%U' was never awaited", word.qualname) != 0) {
            PyErr_WriteUnraisable(object);
        }
    }
    PyObject *closed = request_close(object, NULL);
    if (closed == NULL) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(closed);
    PyErr_Restore(type, value, traceback);
}

/* The call of a middleware; `args`: it, scope, receive and send. */
PyObject *
request_new(PyObject *let_in, PyObject *function, PyObject *const *args)
{
    Request *self = PyObject_GC_New(Request, &Request_Type);
    if (self == NULL) {
        return NULL;
    }
    self->state = NEW;
    self->runs = 0;
    self->let_in = (LetIn *)Py_NewRef(let_in);
    self->function = Py_NewRef(function);
    self->middleware = Py_NewRef(args[0]);
    self->scope = Py_NewRef(args[1]);
    self->receive = Py_NewRef(args[2]);
    self->send = Py_NewRef(args[3]);
    self->inner = self->outer = self->weak = self->digest = self->key = NULL;
    self->served = NULL;
    self->use.tally = self->use.key = NULL;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
request_traverse(PyObject *object, visitproc visit, void *arg)
{
    Request *self = (Request *)object;
    ALL_OF(self, VISIT)
    return 0;
}

static int
request_tp_clear(PyObject *object)
{
    end((Request *)object);
    return 0;
}

static void
request_dealloc(PyObject *object)
{
    if (((Request *)object)->state != OVER && PyObject_CallFinalizerFromDealloc(object) != 0) {
        return;
    }
    PyObject_GC_UnTrack(object);
    if (((Request *)object)->weak != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    request_empty((Request *)object);
    PyObject_GC_Del(object);
}

static PyObject *
request_name(PyObject *Py_UNUSED(self), void *name)
{
    return Py_NewRef(*(PyObject **)name);
}

static PyGetSetDef request_attributes[] = {
    {"__name__", request_name, NULL, NULL, &word.name},
    {"__qualname__", request_name, NULL, NULL, &word.qualname},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef request_members[] = {
    {"cr_running", T_BOOL, offsetof(Request, runs), READONLY, NULL},
    {"cr_await", T_OBJECT, offsetof(Request, inner), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef request_methods[] = {
    {"send", request_send, METH_O, "As of a coroutine."},
    {"throw", (PyCFunction)(void (*)(void))request_throw, METH_FASTCALL, "As of a coroutine."},
    {"close", request_close, METH_NOARGS, "As of a coroutine."},
    {NULL, NULL, 0, NULL},
};

static PyAsyncMethods request_async = {
    .am_await = PyObject_SelfIter,
    .am_send = request_am_send,
};

PyTypeObject Request_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.Request",
    .tp_doc = "The coroutine of a request.",
    .tp_basicsize = sizeof(Request),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = request_dealloc,
    .tp_finalize = request_finalize,
    .tp_traverse = request_traverse,
    .tp_clear = request_tp_clear,
    .tp_weaklistoffset = offsetof(Request, weak),
    .tp_as_async = &request_async,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = request_next,
    .tp_methods = request_methods,
    .tp_members = request_members,
    .tp_getset = request_attributes,
};
