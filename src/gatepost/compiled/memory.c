/* May what memory holds be believed: `Lookup.hit`. */

#include "hit.h"
#include <time.h>

typedef struct {
    PyObject_HEAD
    PyObject *records;   /* a dict: digest (32 bytes) to Record */
    PyObject *temporary; /* a dict: digest of a temporary secret to what is left of it */
    PyObject *freshness; /* its `until` and `offset` are read each time */
    PyObject *clock;     /* NULL: CLOCK_BOOTTIME, read here */
    vectorcallfunc call;
} MemoryHit;

/* Seconds; -1 with an error set where the clock fails. */
static double
read_clock(MemoryHit *self)
{
#ifdef CLOCK_BOOTTIME
    if (self->clock == NULL) {
        struct timespec now;
        if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1.0;
        }
        return (double)((long long)now.tv_sec * 1000000000 + now.tv_nsec) / 1e9; /* rounded as Python rounds it */
    }
#endif
    PyObject *now = PyObject_CallNoArgs(self->clock);
    if (now == NULL) {
        return -1.0;
    }
    double seconds = PyFloat_AsDouble(now);
    Py_DECREF(now);
    return seconds;
}

/* Whether `now` comes before the moment in that attribute; also 0 where an error is set. */
static int
is_before(double now, PyObject *object, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(object, name);
    if (value == NULL) {
        return 0;
    }
    double moment = PyFloat_AsDouble(value);
    Py_DECREF(value);
    if (moment == -1.0 && PyErr_Occurred()) {
        return 0;
    }
    return now < moment;
}

/* Whether the record may be believed, and `end`, an attribute of its, is to come; and the boot clock. Also 0 where an
   error is set. */
static int
may_be_used(MemoryHit *self, PyObject *record, PyObject *end, double *asked)
{
    double now = read_clock(self);
    if (now == -1.0 && PyErr_Occurred()) {
        return 0;
    }
    *asked = now;
    if (!is_before(now, self->freshness, word.until) || !is_before(now, record, word.until)) {
        return 0;
    }
    PyObject *offset = PyObject_GetAttr(self->freshness, word.offset);
    if (offset == NULL) {
        return 0;
    }
    now += PyFloat_AsDouble(offset);
    Py_DECREF(offset);
    return !PyErr_Occurred() && is_before(now, record, end);
}

/* The record of the digest, if it may be used now: a new reference; and the boot clock. Else NULL, also where an error
   is set. One of the classes `bounded` and `limited` never is unless that is given: then it is answered too, for the
   caller to hold the request against its bounds. */
PyObject *
memory_hit_usable(PyObject *object, PyObject *digest, PyObject *bounded, PyObject *limited, double *asked)
{
    MemoryHit *self = (MemoryHit *)object;
    PyObject *record = Py_XNewRef(PyDict_GetItemWithError(self->records, digest));
    if (record == NULL) {
        return NULL;
    }
    PyObject *type = (PyObject *)Py_TYPE(record);
    PyObject *end = type == bounded || type == limited ? word.ends_at : word.usable_until;
    if (!may_be_used(self, record, end, asked)) {
        Py_CLEAR(record);
    }
    return record;
}

/* Whether that attribute is False; also 0 where an error is set. */
static int
is_false(PyObject *object, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(object, name);
    Py_XDECREF(value);
    return value == Py_False;
}

/* What is left of a temporary secret, if memory still holds the record that it was worked out from, both may be used
   now, and nothing is left to be asked of a request: `Lookup.temporary_hit`. A new reference, and instead of its digest
   that of what it was made from; and the boot clock. Else NULL, also where an error is set. */
PyObject *
memory_hit_temporary(PyObject *object, PyObject **digest, double *asked)
{
    MemoryHit *self = (MemoryHit *)object;
    PyObject *record = Py_XNewRef(PyDict_GetItemWithError(self->temporary, *digest));
    if (record == NULL) {
        return NULL;
    }
    PyObject *parent = PyObject_GetAttr(record, word.parent);
    PyObject *made_from = parent == NULL ? NULL : PyObject_GetAttr(record, word.digest);
    int is_usable = made_from != NULL && PyDict_GetItemWithError(self->records, made_from) == parent
        && is_false(record, word.is_bound) && is_false(record, word.is_limited)
        && may_be_used(self, record, word.ends_at, asked);
    Py_XDECREF(parent);
    if (!is_usable) {
        Py_XDECREF(made_from);
        Py_DECREF(record);
        return NULL;
    }
    Py_SETREF(*digest, made_from);
    return record;
}

int
memory_hit_is_empty(PyObject *self)
{
    return PyDict_GET_SIZE(((MemoryHit *)self)->records) == 0;
}

static PyObject *
memory_hit_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *named)
{
    if (PyVectorcall_NARGS(nargsf) != 1 || (named != NULL && PyTuple_GET_SIZE(named) != 0)) {
        PyErr_SetString(PyExc_TypeError, "MemoryHit takes one digest");
        return NULL;
    }
    double now;
    PyObject *record = memory_hit_usable(self, args[0], NULL, NULL, &now);
    if (record == NULL && !PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    return record;
}

static PyObject *
memory_hit_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *names[] = {"records", "temporary", "freshness", "clock", NULL};
    PyObject *records, *temporary, *freshness, *clock;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O!O!OO", names, &PyDict_Type, &records, &PyDict_Type, &temporary,
                                     &freshness, &clock)) {
        return NULL;
    }
#ifndef CLOCK_BOOTTIME
    if (clock == Py_None) {
        PyErr_SetString(PyExc_ValueError, "This system has no CLOCK_BOOTTIME: give a clock");
        return NULL;
    }
#endif
    MemoryHit *self = (MemoryHit *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->records = Py_NewRef(records);
        self->temporary = Py_NewRef(temporary);
        self->freshness = Py_NewRef(freshness);
        self->clock = clock == Py_None ? NULL : Py_NewRef(clock);
        self->call = memory_hit_call;
    }
    return (PyObject *)self;
}

static int
memory_hit_traverse(PyObject *object, visitproc visit, void *arg)
{
    MemoryHit *self = (MemoryHit *)object;
    Py_VISIT(self->records);
    Py_VISIT(self->temporary);
    Py_VISIT(self->freshness);
    Py_VISIT(self->clock);
    return 0;
}

static void
memory_hit_dealloc(PyObject *object)
{
    MemoryHit *self = (MemoryHit *)object;
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->records);
    Py_XDECREF(self->temporary);
    Py_XDECREF(self->freshness);
    Py_XDECREF(self->clock);
    Py_TYPE(self)->tp_free(object);
}

PyTypeObject MemoryHit_Type = { /* as a tuple it has no tp_clear: what it holds never changes */
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.MemoryHit",
    .tp_basicsize = sizeof(MemoryHit),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = memory_hit_new,
    .tp_dealloc = memory_hit_dealloc,
    .tp_traverse = memory_hit_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(MemoryHit, call),
};
