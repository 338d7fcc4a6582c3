/* What memory hits count in: `Cell` and `Tally` of compiled.py, and the first part of `Counting.let_in`. */

#include "hit.h"
#include <structmember.h>

typedef struct {
    PyObject_HEAD
    long long count;
    double last;      /* boot clock */
    PyObject *client; /* of the scope; NULL: not known */
} Cell;

typedef struct {
    PyObject_HEAD
    PyObject *cells; /* a dict: digest (32 bytes) to Cell */
    double since, until;
} Tally;

/* The template that Python has found for a route, which may be empty, or NULL, maybe with an error. `routes`: a dict
   that has them by the routes' places in memory. */
static PyObject *
template_of(PyObject *routes, PyObject *route)
{
    PyObject *place = PyLong_FromVoidPtr(route);
    PyObject *held = place == NULL ? NULL : PyDict_GetItemWithError(routes, place);
    Py_XDECREF(place);
    if (held == NULL || !PyTuple_CheckExact(held) || PyTuple_GET_SIZE(held) != 2
        || PyTuple_GET_ITEM(held, 0) != route) { /* another route had that place before */
        return NULL;
    }
    held = PyTuple_GET_ITEM(held, 1);
    return PyUnicode_CheckExact(held) ? Py_NewRef(held) : NULL;
}

/* What the cell of a request is found by: a new reference, or NULL, maybe with an error, where Python is to tell. */
static PyObject *
way_of(PyObject *routes, PyObject *digest, PyObject *scope)
{
    PyObject *route = PyDict_GetItemWithError(scope, word.route);
    if (route == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(digest);
    }
    PyObject *template = template_of(routes, route);
    if (template == NULL) {
        return NULL;
    }
    PyObject *way = PyUnicode_GET_LENGTH(template) ? PyTuple_Pack(2, digest, template) : Py_NewRef(digest);
    Py_DECREF(template);
    return way;
}

/* Count a request in its cell, if there is one and the app has told nothing of it but a route that is known: 1, or 0
   where Python is to count it, or -1 with an error. */
static int
count_here(PyObject *routes, Tally *tally, PyObject *digest, PyObject *scope, double began)
{
    PyObject *told[] = {word.fastapi, word.path_template, word.outcome};
    if (!(tally->since <= began && began < tally->until) || tally->cells == NULL || !PyDict_CheckExact(tally->cells)
        || !PyDict_CheckExact(scope)) {
        return 0;
    }
    for (size_t at = 0; at < Py_ARRAY_LENGTH(told); at++) {
        if (PyDict_GetItemWithError(scope, told[at]) != NULL) {
            return 0;
        }
    }
    PyObject *way = way_of(routes, digest, scope);
    PyObject *cell = way == NULL ? NULL : PyDict_GetItemWithError(tally->cells, way);
    Py_XDECREF(way);
    if (cell == NULL || !Py_IS_TYPE(cell, &Cell_Type)) {
        return PyErr_Occurred() ? -1 : 0;
    }
    ((Cell *)cell)->count++;
    if (began >= ((Cell *)cell)->last) {
        PyObject *client = PyDict_GetItemWithError(scope, word.client);
        ((Cell *)cell)->last = began;
        if (client != ((Cell *)cell)->client) {
            Py_INCREF(cell); /* what is let go of may run code */
            Py_XSETREF(((Cell *)cell)->client, Py_XNewRef(client));
            Py_DECREF(cell);
        }
    }
    return 1;
}

/* Count a request that was let in and is over. An error that is set stays set; one of counting is told of and no more:
   it must not become the request's. */
void
count_request(LetIn *let_in, PyObject *tally, PyObject *key, PyObject *digest, PyObject *scope, double began)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int counted = 0;
    if (let_in->bounded != NULL && PyObject_TypeCheck(tally, &Tally_Type)) { /* else where it is from is for Python */
        counted = count_here(let_in->routes, (Tally *)tally, digest, scope, began);
    }
    if (counted == 0) {
        PyObject *moment = PyFloat_FromDouble(began), *done = NULL;
        if (moment != NULL) {
            PyObject *args[] = {tally, key, digest, scope, moment};
            done = PyObject_Vectorcall(let_in->count, args, 5, NULL);
            Py_DECREF(moment);
        }
        counted = done == NULL ? -1 : 1;
        Py_XDECREF(done);
    }
    if (counted < 0) {
        PyErr_WriteUnraisable(let_in->count);
    }
    PyErr_Restore(type, value, traceback);
}

static int
cell_init(PyObject *object, PyObject *args, PyObject *named)
{
    static char *names[] = {"last", "client", NULL};
    Cell *self = (Cell *)object;
    PyObject *client;
    double last;
    if (!PyArg_ParseTupleAndKeywords(args, named, "dO", names, &last, &client)) {
        return -1;
    }
    self->last = last;
    Py_XSETREF(self->client, Py_NewRef(client));
    return 0;
}

static void
cell_dealloc(PyObject *self)
{
    Py_XDECREF(((Cell *)self)->client);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef cell_members[] = {
    {"count", T_LONGLONG, offsetof(Cell, count), 0, NULL},
    {"last", T_DOUBLE, offsetof(Cell, last), 0, NULL},
    {"client", T_OBJECT, offsetof(Cell, client), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject Cell_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.Cell",
    .tp_doc = "One count.",
    .tp_basicsize = sizeof(Cell),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = cell_init,
    .tp_dealloc = cell_dealloc,
    .tp_members = cell_members,
};

static int
tally_init(PyObject *object, PyObject *args, PyObject *named)
{
    Tally *self = (Tally *)object;
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, named, "", names)) {
        return -1;
    }
    Py_XSETREF(self->cells, PyDict_New());
    self->since = self->until = 0.0;
    return self->cells == NULL ? -1 : 0;
}

static int
tally_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Tally *)self)->cells);
    return 0;
}

static int
tally_clear(PyObject *self)
{
    Py_CLEAR(((Tally *)self)->cells);
    return 0;
}

static void
tally_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    tally_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef tally_members[] = {
    {"cells", T_OBJECT_EX, offsetof(Tally, cells), 0, NULL},
    {"since", T_DOUBLE, offsetof(Tally, since), 0, NULL},
    {"until", T_DOUBLE, offsetof(Tally, until), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject Tally_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.Tally",
    .tp_doc = "What memory hits count in.",
    .tp_basicsize = sizeof(Tally),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = tally_init,
    .tp_dealloc = tally_dealloc,
    .tp_traverse = tally_traverse,
    .tp_clear = tally_clear,
    .tp_members = tally_members,
};
