/* Personal data in rich text: a token that is chosen from the picker, and changed by a click. */
(() => {
  const { React, DraftJS } = window;

  class MergeSource extends React.Component {
    async componentDidMount() {
      const { editorState, entityType, entity, entityKey, onComplete, onClose } = this.props;
      const chosen = entity ? entity.getData() : {};
      const tag = await window.triggersMerge
        .pick(entityType.url, { path: chosen.path, fallback: chosen.default })
        .catch(() => null);
      if (!tag) {
        onClose();
        return;
      }
      const data = { path: tag.path, label: tag.label, default: tag.fallback };
      const content = editorState.getCurrentContent();
      const made = content.createEntity(entityType.type, 'IMMUTABLE', data);
      const selection =
        (entityKey && window.Draftail.DraftUtils.getEntitySelection(editorState, entityKey)) ||
        editorState.getSelection();
      const replaced = DraftJS.Modifier.replaceText(
        made,
        selection,
        tag.label,
        null,
        made.getLastCreatedEntityKey(),
      );
      onComplete(DraftJS.EditorState.push(editorState, replaced, 'insert-characters'));
    }

    render() {
      return null;
    }
  }

  const MergeToken = ({ entityKey, contentState, onEdit, children }) => {
    const data = contentState.getEntity(entityKey).getData();
    return React.createElement(
      'span',
      {
        className: 'triggers-merge-token',
        role: 'button',
        title: data.default ? `${data.label} / ${data.default}` : data.label,
        onMouseUp: () => onEdit(entityKey),
      },
      children,
    );
  };

  window.draftail.registerPlugin(
    { type: 'MERGE', source: MergeSource, decorator: MergeToken },
    'entityTypes',
  );
})();
